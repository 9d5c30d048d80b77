"""The worker: reads an item again where it must, reconciles it, and says what the queue does with it then."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError
from execution_operator.core.workflow.state import is_unanswered
from execution_operator.reconciler.result import ReconcileRequest, Requeue, Result
from execution_operator.telemetry.metrics import RECONCILE_DURATION
from execution_operator.workqueue.item import Item, Snapshot

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NextStep:
    """What the queue does with an item whose worker has ended.

    Attributes:
        settled: Whether the item leaves the queue.
        delay: Seconds until the item is requeued. None where only an event requeues it.
    """

    settled: bool = False
    delay: float | None = None


SETTLED = NextStep(settled=True)
"""The item leaves the queue."""

ON_EVENT = NextStep()
"""The item stays in the queue until an event requeues it."""


class Worker:
    """Reconciles one item after another. It keeps nothing of them.

    Args:
        reconcile: Reconciles one state of an Execution.
        read: Reads an Execution again. It returns None where the object no longer exists.
    """

    def __init__(
        self,
        reconcile: Callable[[ReconcileRequest], Awaitable[Result]],
        read: Callable[[Execution], Awaitable[Execution | None]],
    ) -> None:
        self._reconcile = reconcile
        self._read = read

    async def run(self, item: Item, closed: Callable[[], bool]) -> NextStep:
        """Reconcile the item until no newer state is known.

        Args:
            item: What to reconcile.
            closed: Whether the queue drains. No further reconcile begins then.
        """
        step = SETTLED
        while item.has_work and not closed():
            try:
                await self._reread(item)
            except Exception as error:  # noqa: BLE001 - one object must not stop the others
                item.reread_requested = True  # an untrusted state is never acted on, whatever comes in meanwhile
                return _fail(item, error)
            if item.snapshot is Snapshot.LOST:
                return SETTLED
            step = await self._reconcile_once(item)
        return step

    async def _reread(self, item: Item) -> None:
        """Read the object until its state is trusted. A removal or a requeue during the read causes another one."""
        while item.needs_reread and item.snapshot is not Snapshot.LOST:
            item.reread_requested, item.removed_version = False, -1
            item.record_read(await self._read(item.execution))
        item.reconciled_version = item.version

    async def _reconcile_once(self, item: Item) -> NextStep:
        request = _request(item)
        item.interrupted = True
        try:
            with RECONCILE_DURATION.labels(str(is_unanswered(item.execution)).lower()).time():
                result = await self._reconcile(request)
        except Exception as error:  # noqa: BLE001 - likewise
            return _fail(item, error)
        item.record_reconcile(result.execution)
        return _next_step(item, result)


def _request(item: Item) -> ReconcileRequest:
    deleted = item.snapshot is Snapshot.DELETED
    return ReconcileRequest(item.execution, deleted, item.interrupted, item.enqueued_at)


def _next_step(item: Item, result: Result) -> NextStep:
    """Return what the queue does after a reconcile that ended with this result."""
    if result.requeue is Requeue.WITH_BACKOFF:
        return NextStep(delay=item.record_failure())
    item.attempts = 0
    if result.requeue_after is not None:
        return NextStep(delay=result.requeue_after)
    return ON_EVENT if result.requeue is Requeue.ON_EVENT else SETTLED


def _fail(item: Item, error: Exception) -> NextStep:
    """Log the error of a read or a reconcile, and return the delay until the next attempt."""
    if isinstance(error, RecordError):
        logger.warning("%s: %s; trying again", item.name, error)
    else:
        logger.error("reconciling %s failed", item.name, exc_info=error)
    return NextStep(delay=item.record_failure())
