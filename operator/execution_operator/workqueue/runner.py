"""The runner: one task an item at most, the timers that requeue items, and the drain at the end."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping

from execution_operator.workqueue.item import Item, Job, State
from execution_operator.workqueue.limits import ConcurrencyLimiter, Limits, Priority, priority_of
from execution_operator.workqueue.worker import Worker

logger = logging.getLogger(__name__)


class Runner:
    """Runs the worker for items.

    Args:
        worker: Reconciles an item.
        limits: How many items are reconciled at once, by priority.
        settled: Called with each item that has nothing left to do.

    Attributes:
        limiter: The slots, and the counts of routine reconciles.
    """

    def __init__(self, worker: Worker, limits: Mapping[Priority, Limits], settled: Callable[[Item], None]) -> None:
        self._worker = worker
        self._settled = settled
        self._closed = False
        self.limiter = ConcurrencyLimiter(limits)

    @property
    def closed(self) -> bool:
        """Whether the queue drains: no further work begins."""
        return self._closed

    def start(self, item: Item) -> None:
        """Have the item worked on now, if it is not already.

        An item that waits with routine priority, and has become a request, waits among the requests instead.
        """
        item.cancel_timer()
        priority = priority_of(item.execution)
        is_request = priority is Priority.REQUEST
        item.enqueued_at = (item.enqueued_at or time.monotonic()) if is_request else None
        if item.job and item.state is State.WAITING and is_request and item.job.priority is Priority.ROUTINE:
            item.job.task.cancel()
            item.job = None
        if item.job is None and not self._closed:
            self._create_job(item, priority)

    def start_with_reread(self, item: Item) -> None:
        """Have the item read again and reconciled. If it is being reconciled, this follows."""
        item.reread_requested = True
        self.start(item)

    async def drain(self, items: Iterable[Item], seconds: float) -> None:
        """Begin nothing more, let reconciles under way finish within the time, and cancel the rest."""
        self._closed = True
        tasks = []
        for item in items:
            item.cancel_timer()
            if item.job is not None:
                tasks.append(item.job.task)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _create_job(self, item: Item, priority: Priority) -> None:
        task = asyncio.create_task(self._run(item, priority))
        item.job = job = Job(task, priority)
        task.add_done_callback(lambda _: self._on_done(item, job))
        if priority is Priority.ROUTINE:
            self.limiter.count_routine(task, item.execution)

    async def _run(self, item: Item, priority: Priority) -> None:
        """Run the worker in a slot, then settle the item or set its timer."""
        async with self.limiter.acquire(item.execution, priority):
            if item.job is not None:
                item.job.running = True
            step = await self._worker.run(item, lambda: self._closed)
        item.job = None
        if step.settled:
            self._settled(item)
        elif step.delay is not None and not self._closed:
            self._requeue_after(item, step.delay)

    def _on_done(self, item: Item, job: Job) -> None:
        """Requeue an item whose task ended by an error or a cancellation: an item with work is never without a task."""
        if item.job is not job or self._closed:
            return  # the task came to its end, or another one has replaced it
        item.job = None
        error = None if job.task.cancelled() else job.task.exception()
        logger.error("the worker of %s ended unexpectedly, it is started again", item.name, exc_info=error)
        self._requeue_after(item, item.record_failure())

    def _requeue_after(self, item: Item, seconds: float) -> None:
        def requeue() -> None:
            item.timer = None
            self.start_with_reread(item)

        item.requeue_after(seconds, requeue)
