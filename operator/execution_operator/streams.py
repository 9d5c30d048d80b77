"""Which Executions are worked on: those that the streams bring, those that a sweep finds, those that are woken."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError
from execution_operator.core.standing import asked_at
from execution_operator.core.state import sought, unanswered, wants_attention
from execution_operator.metrics import MISSED
from execution_operator.pacer import backoff
from execution_operator.workqueue import WorkQueue

logger = logging.getLogger(__name__)

SWEEP = 60.0
"""Seconds between two sweeps, jittered: they catch what a watch missed, and look again for what was not found."""

LATE = timedelta(seconds=5)
"""Age of a request that its stream should have brought by now."""

GAP, LONGEST_GAP = 0.2, 10.0
"""Seconds at least between two sweeps, and at most after one that failed."""


class Streams:
    """Decides what goes into the queue.

    Args:
        queue: Where the work is done.
        select: Lists the Executions that wait for something: an answer, or a first look.
        concerned: Whether Executions of a namespace are to be worked on here.

    Attributes:
        not_found: Requests that the last sweep found, and whose workflow nobody knows.
    """

    def __init__(
        self,
        queue: WorkQueue,
        select: Callable[[], AsyncIterator[Execution]],
        concerned: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._queue = queue
        self._select = select
        self._concerned = concerned
        self.not_found = 0
        self._woken: set[str] = set()
        self._wake = asyncio.Event()
        self._swept = False

    def requested(self, execution: Execution) -> None:
        """Take in an unanswered request. One that was not found is left to a sweep."""
        if not sought(execution) and self._concerned(execution.metadata.namespace):
            self._queue.add(execution)

    def left(self, execution: Execution) -> None:
        """Look again at a request that was withdrawn, or deleted, while it was being worked on."""
        self._queue.leave(execution)

    def changed(self, execution: Execution) -> None:
        """Take in an Execution whose status is behind. Those with a request come by the other stream."""
        waits = wants_attention(execution) and not sought(execution) and not _asked(execution)
        if waits and self._concerned(execution.metadata.namespace):
            self._queue.add(execution)

    def hinted(self, execution: Execution) -> None:
        """Look at an open Execution whose run seems to have closed."""
        if self._concerned(execution.metadata.namespace):
            self._queue.wake(execution)

    def deleted(self, execution: Execution) -> None:
        """Take in the last state of an Execution that is being worked on: it tells what was still asked for."""
        self._queue.delete(execution)

    def wake(self, namespaces: set[str]) -> None:
        """Look at all that waits in these namespaces: their Organization or its Temporal has changed."""
        self._woken |= namespaces
        self._wake.set()

    async def run(self) -> None:
        """Sweep at intervals, and whenever woken, until cancelled."""
        failures = 0
        while True:
            namespaces, self._woken = self._woken, set()
            self._wake.clear()
            try:
                await self._sweep(namespaces)
                failures = 0
                await self._pause()
            except RecordError as error:
                self._woken |= namespaces
                failures += 1
                logger.warning("sweep: %s", error)
                await asyncio.sleep(backoff(GAP, failures, LONGEST_GAP))

    async def _sweep(self, woken: set[str]) -> None:
        """Add all that waits. What is known and unchanged is worked on only where it was woken."""
        self._queue.wake_busy(woken)
        not_found = 0
        async for execution in self._select():
            if not self._concerned(execution.metadata.namespace):
                continue
            not_found += sought(execution) and unanswered(execution)
            self._compare(execution)
            if execution.metadata.namespace in woken:
                self._queue.wake(execution)
            else:
                self._queue.add(execution)
        self._queue.wake_idle(woken)
        self.not_found, self._swept = not_found, True

    def _compare(self, execution: Execution) -> None:
        """Count a request that its stream has not brought; before the first sweep ends, none was due."""
        if not self._swept or not _asked(execution) or sought(execution) or self._queue.knows(execution.metadata.uid):
            return
        if (asked := asked_at(execution)) and datetime.fromisoformat(asked) + LATE < datetime.now(UTC):
            MISSED.inc()

    async def _pause(self) -> None:
        await asyncio.sleep(GAP)
        try:
            async with asyncio.timeout(SWEEP * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                await self._wake.wait()
        except TimeoutError:
            return


def _asked(execution: Execution) -> bool:
    return execution.spec.terminate is not None and unanswered(execution)
