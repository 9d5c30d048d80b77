"""A queue of objects to bring up to date: one worker an object at a time, the newest state wins, failures wait longer.

Nothing is kept for an object once it is settled.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from math import inf

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError
from execution_operator.core.workflow.state import is_unanswered
from execution_operator.index.resource_versions import ResourceVersionTracker
from execution_operator.reconciler.result import ReconcileRequest, Requeue, Result
from execution_operator.runtime.backoff import backoff
from execution_operator.telemetry.metrics import RECONCILE_DURATION
from execution_operator.workqueue.item import Item, version
from execution_operator.workqueue.limits import AHEAD, WIDTHS, ConcurrencyLimiter, InFlight, Limits

logger = logging.getLogger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 60.0
"""Seconds before the first retry and at most; doubled each time, jittered."""


class WorkQueue:
    """Executions by UID.

    Args:
        reconcile: One pass over a state.
        read: Reads an object again; None where it is gone.
        widths: How many passes may be under way at once, of requests and of looks.

    Attributes:
        newest: What was seen of objects, known here or not. Whoever brings an older state is behind: a request that was
            withdrawn since must not be acted on.
    """

    def __init__(
        self,
        reconcile: Callable[[ReconcileRequest], Awaitable[Result]],
        read: Callable[[Execution], Awaitable[Execution | None]],
        widths: Mapping[bool, Limits] = WIDTHS,
    ) -> None:
        self._reconcile = reconcile
        self._read = read
        self._lanes = ConcurrencyLimiter(widths)
        self._entries: dict[str, Item] = {}
        self._closed = False
        self.newest = ResourceVersionTracker()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Execution]:
        return (entry.execution for entry in self._entries.values())

    @property
    def room(self) -> bool:
        """Whether one more first look should be taken in."""
        return self._lanes.first.total < AHEAD

    @property
    def looks(self) -> InFlight:
        """How many looks at known Executions are under way, or wait for their turn."""
        return self._lanes.known

    async def wait_for_room(self) -> None:
        """Wait until there is room for one."""
        await self._lanes.first.room("", AHEAD)

    def knows(self, uid: str) -> bool:
        """Tell whether there is work to do on an object."""
        return uid in self._entries

    def busy(self, uid: str) -> bool:
        """Tell whether a pass over an object is under way, or waits for its turn."""
        entry = self._entries.get(uid)
        return entry is not None and entry.task is not None

    def add(self, execution: Execution) -> None:
        """Take a state in, unless it is known already and being worked on, or waits for its time."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is None:
            self._enter(Item(execution))
        elif version(execution) > version(entry.execution) or (entry.task is None and entry.timer is None):
            if version(execution) >= version(entry.execution):
                entry.renew(execution)
            else:
                entry.renew(entry.execution, hearsay=entry.hearsay, doubtful=entry.doubtful)
            self._start(entry)

    def leave(self, uid: str, at: int) -> None:
        """Have an object that has left a selection read again and worked on now, if it is being worked on or waits.

        Args:
            uid: Which one.
            at: The resourceVersion with which it left.
        """
        self.newest.saw(uid, at)
        if entry := self._entries.get(uid):
            entry.left = max(entry.left, at)
            self._start(entry)

    def delete(self, execution: Execution) -> None:
        """Take in the last state of an object that was deleted or has closed, if it is being worked on or waits."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is not None and version(execution) > version(entry.execution):
            entry.renew(execution, hearsay=True)
        self.leave(execution.metadata.uid, version(execution))

    def wake(self, execution: Execution, *, doubtful: bool = False) -> None:
        """Work on the object now, known or not: something that it depends on has changed.

        Args:
            execution: Its state.
            doubtful: Nobody has kept track of it since that was read. Where the object is not known, it is read again,
                and let go if it is gone.
        """
        entry = self._entries.get(execution.metadata.uid)
        if entry is None:
            self._enter(Item(execution, doubtful=doubtful))
        elif entry.task is None and version(execution) >= version(entry.execution):
            entry.renew(execution, doubtful=doubtful and entry.doubtful)
            self._start(entry)
        else:
            self._force(entry)

    def wake_busy(self, namespaces: set[str]) -> None:
        """Have passes that are under way in these namespaces followed by another: they may have decided on what was."""
        for entry in self._entries.values():
            if entry.execution.metadata.namespace in namespaces and entry.task is not None:
                self._force(entry)

    def wake_idle(self, namespaces: set[str]) -> None:
        """Read again and work on all that waits in these namespaces."""
        for entry in self._entries.values():
            if entry.execution.metadata.namespace in namespaces and entry.task is None:
                self._force(entry)

    async def drain(self, seconds: float) -> None:
        """Take nothing more up, let passes under way finish within the time, and cancel the rest."""
        self._closed = True
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _enter(self, entry: Item) -> None:
        if not self._closed:
            self._entries[entry.execution.metadata.uid] = entry
            self._start(entry)

    def _force(self, entry: Item) -> None:
        entry.forced = True
        self._start(entry)

    def _start(self, entry: Item) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        urgent = is_unanswered(entry.execution)
        entry.since = (entry.since or time.monotonic()) if urgent else None
        if entry.task is not None and entry.waiting and urgent and not entry.urgent:
            entry.task.cancel()  # it waits among the looks, and has become a request
            entry.task = None
        if entry.task is None and not self._closed:
            entry.urgent, entry.waiting = urgent, True
            entry.task = asyncio.create_task(self._work(entry))
            entry.task.add_done_callback(lambda task: self._ended(entry, task))
            if not urgent:
                self._lanes.occupy(entry.task, entry.execution)

    async def _work(self, entry: Item) -> None:
        """Run passes until no newer state is known, then forget the object or set its alarm."""
        pause: float | None = None
        async with self._lanes.turn(entry.execution, urgent=entry.urgent):
            entry.waiting = False
            while entry.due and not self._closed:
                if (pause := await self._reread(entry)) is not None:
                    break  # nothing is done on what may not be so any more
                if entry.gone and entry.doubtful:
                    break  # what it asked for in the end, nobody knows
                pause = await self._pass(entry)
        entry.task = None
        if pause is None:
            uid = entry.execution.metadata.uid
            self.newest.saw(uid, version(entry.execution))
            del self._entries[uid]
        elif pause != inf and not self._closed:
            entry.timer = asyncio.get_running_loop().call_later(pause, self._again, entry)

    def _ended(self, entry: Item, task: asyncio.Task[None]) -> None:
        """Take up an object again whose task broke, by whatever: nothing that has work to do is without one."""
        if entry.task is not task or self._closed:
            return  # it came to its end, or another one has taken its place
        entry.task = None
        meta, error = entry.execution.metadata, None if task.cancelled() else task.exception()
        logger.error("work on %s/%s broke off", meta.namespace, meta.name, exc_info=error)
        entry.timer = asyncio.get_running_loop().call_later(self._backoff(entry), self._again, entry)

    def _again(self, entry: Item) -> None:
        entry.timer = None
        self._force(entry)

    async def _pass(self, entry: Item) -> float | None:
        """Return the seconds until the next pass; None if the object is settled."""
        try:
            work, entry.broken_off = ReconcileRequest(entry.execution, entry.gone, entry.broken_off, entry.since), True
            with RECONCILE_DURATION.labels(str(is_unanswered(entry.execution)).lower()).time():
                settlement = await self._reconcile(work)
        except Exception as error:  # noqa: BLE001 - one object must not stop the others
            return self._failed(entry, error)
        entry.passed(settlement)
        return self._pause_after(entry, settlement)

    def _pause_after(self, entry: Item, result: Result) -> float | None:
        """Return the seconds until the next pass, `inf` where an event brings it, None where the object is settled."""
        if result.requeue is Requeue.WITH_BACKOFF:
            return self._backoff(entry)
        entry.failures = 0
        if result.requeue_after is not None:
            return result.requeue_after
        return inf if result.requeue is Requeue.ON_EVENT else None

    async def _reread(self, entry: Item) -> float | None:
        """Read the object again, as long as what is known of it may not be so any more.

        Returns the seconds until the next try, where it could not be read.
        """
        while entry.unknown:
            entry.forced, entry.left = False, -1
            try:
                entry.take(await self._read(entry.execution))
            except Exception as error:  # noqa: BLE001 - likewise
                entry.forced = True  # nothing is done before it could be read, whoever comes with a state meanwhile
                return self._failed(entry, error)
        entry.seen = version(entry.execution)
        return None

    def _failed(self, entry: Item, error: Exception) -> float:
        name = f"{entry.execution.metadata.namespace}/{entry.execution.metadata.name}"
        if isinstance(error, RecordError):
            logger.warning("%s: %s; trying again", name, error)
        else:
            logger.error("a pass over %s failed", name, exc_info=error)
        return self._backoff(entry)

    def _backoff(self, entry: Item) -> float:
        pause = backoff(FIRST_BACKOFF, entry.failures, LONGEST_BACKOFF)
        entry.failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
