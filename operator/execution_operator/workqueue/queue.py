"""The queue of Executions to reconcile.

Each Execution has one worker at most. The newest state replaces the states before it. A failure is tried again with
growing delays. An Execution leaves the queue once it is settled.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping

from execution_operator.api import Execution
from execution_operator.index.resource_versions import ResourceVersionTracker
from execution_operator.reconciler.result import ReconcileRequest, Result
from execution_operator.workqueue.item import Item, Snapshot, version
from execution_operator.workqueue.limits import LIMITS, MAX_FIRST_RECONCILES, InFlight, Limits, Priority
from execution_operator.workqueue.runner import Runner
from execution_operator.workqueue.worker import Worker


class WorkQueue:
    """Items by the UID of their Execution.

    Args:
        reconcile: Reconciles one state of an Execution.
        read: Reads an Execution again. It returns None where the object no longer exists.
        limits: How many Executions are reconciled at once, by priority.

    Attributes:
        resource_versions: The newest version that was seen of each object, in the queue or not. A source that brings
            an older one is behind: its state may hold a request that was withdrawn since.
    """

    def __init__(
        self,
        reconcile: Callable[[ReconcileRequest], Awaitable[Result]],
        read: Callable[[Execution], Awaitable[Execution | None]],
        limits: Mapping[Priority, Limits] = LIMITS,
    ) -> None:
        self._items: dict[str, Item] = {}
        self._runner = Runner(Worker(reconcile, read), limits, self._settle)
        self.resource_versions = ResourceVersionTracker()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Execution]:
        return (item.execution for item in self._items.values())

    @property
    def has_room(self) -> bool:
        """Whether the queue takes one more Execution that waits for its first reconcile."""
        return self._runner.limiter.first_reconciles.total < MAX_FIRST_RECONCILES

    @property
    def repeat_reconciles(self) -> InFlight:
        """The routine reconciles of Executions that pin a run, under way or waiting for a slot."""
        return self._runner.limiter.repeat_reconciles

    async def wait_for_room(self) -> None:
        """Wait until the queue takes one more Execution that waits for its first reconcile."""
        await self._runner.limiter.first_reconciles.wait_below("", MAX_FIRST_RECONCILES)

    def contains(self, uid: str) -> bool:
        """Return whether an object has work to do."""
        return uid in self._items

    def is_active(self, uid: str) -> bool:
        """Return whether an object is being reconciled, or waits for a slot."""
        item = self._items.get(uid)
        return item is not None and item.job is not None

    def add(self, execution: Execution) -> None:
        """Enqueue a state.

        A state that is no newer than the known one changes nothing while that is being reconciled or has a timer.
        """
        item = self._items.get(execution.metadata.uid)
        if item is None:
            self._insert(Item(execution))
        elif version(execution) > item.version or (item.job is None and item.timer is None):
            if version(execution) >= item.version:
                item.update(execution)
            else:
                item.update(item.execution, item.snapshot)
            self._runner.start(item)

    def removed(self, uid: str, at: int) -> None:
        """Have an object that left a watched selection read again and reconciled now, if it is in the queue.

        Args:
            uid: The object's UID.
            at: The resourceVersion at which it left.
        """
        self.resource_versions.observe(uid, at)
        if item := self._items.get(uid):
            item.removed_version = max(item.removed_version, at)
            self._runner.start(item)

    def add_tombstone(self, execution: Execution) -> None:
        """Take in the last state of an object that was deleted or has closed, if it is in the queue."""
        item = self._items.get(execution.metadata.uid)
        if item is not None and version(execution) > item.version:
            item.update(execution, Snapshot.TOMBSTONE)
        self.removed(execution.metadata.uid, version(execution))

    def requeue(self, execution: Execution, *, stale: bool = False) -> None:
        """Reconcile an object now, because something that it depends on has changed. Enqueue it if it is not known.

        Args:
            execution: A state of the object.
            stale: Whether no watch has kept that state up to date. An object that is not in the queue is then read
                before it is acted on, and dropped if it no longer exists.
        """
        item = self._items.get(execution.metadata.uid)
        if item is None:
            self._insert(Item(execution, Snapshot.STALE if stale else Snapshot.CURRENT))
        elif item.job is None and version(execution) >= item.version:
            still_stale = stale and item.snapshot is Snapshot.STALE
            item.update(execution, Snapshot.STALE if still_stale else Snapshot.CURRENT)
            self._runner.start(item)
        else:
            self._runner.start_with_reread(item)

    def requeue_active(self, namespaces: set[str]) -> None:
        """Have each reconcile under way in these namespaces followed by another: what it decided on has changed."""
        for item in self._items.values():
            if item.execution.metadata.namespace in namespaces and item.job is not None:
                self._runner.start_with_reread(item)

    def requeue_inactive(self, namespaces: set[str]) -> None:
        """Read again and reconcile all items of these namespaces that have a timer, or wait for an event."""
        for item in self._items.values():
            if item.execution.metadata.namespace in namespaces and item.job is None:
                self._runner.start_with_reread(item)

    async def drain(self, seconds: float) -> None:
        """Take nothing more up, let reconciles under way finish within the time, and cancel the rest."""
        await self._runner.drain(self._items.values(), seconds)

    def _insert(self, item: Item) -> None:
        if not self._runner.closed:
            self._items[item.execution.metadata.uid] = item
            self._runner.start(item)

    def _settle(self, item: Item) -> None:
        uid = item.execution.metadata.uid
        self.resource_versions.observe(uid, item.version)
        del self._items[uid]
