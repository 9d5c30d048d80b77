"""Which Executions are worked on: those that the streams bring, those that a sweep finds, those that are woken."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

from execution_operator.api import Execution
from execution_operator.core.workflow.state import is_known_missing, is_unanswered, is_unresolved, needs_reconcile
from execution_operator.runtime.periodic import PeriodicTask
from execution_operator.telemetry.backlog import asked_at
from execution_operator.telemetry.metrics import FOUND_BY_RELIST
from execution_operator.workqueue.item import version
from execution_operator.workqueue.queue import WorkQueue

LATE = timedelta(seconds=5)
"""Age of a request that its stream should have brought by now."""


class Enqueuer:
    """Decides what goes into the queue.

    Args:
        queue: Where the work is done.
        requests: Lists the Executions that wait for an answer.
        unseen: Lists those that wait for a first look, or were not found by an earlier one.
        now: The API server's time.
        concerned: Whether Executions of a namespace are to be worked on here.
        leading: False while another operator does the work: what is to be done is only noted, until `lead`.

    Attributes:
        not_found: Requests that the last sweep found, and whose workflow nobody knows.
    """

    def __init__(  # noqa: PLR0913 - what it decides by
        self,
        queue: WorkQueue,
        requests: Callable[[], AsyncIterator[Execution]],
        unseen: Callable[[], AsyncIterator[Execution]],
        now: Callable[[], datetime],
        concerned: Callable[[str], bool] = lambda _: True,
        *,
        leading: bool = True,
    ) -> None:
        self._queue = queue
        self._list_requests = requests
        self._list_unseen = unseen
        self._now = now
        self._concerned = concerned
        self.not_found = 0
        self._noted: dict[str, Execution] | None = None if leading else {}
        self._requests = PeriodicTask(self._sweep)
        self._looks = PeriodicTask(self._look)
        self._swept = False

    def requested(self, execution: Execution) -> None:
        """Take in an unanswered request. One that was not found is left to a sweep."""
        if (
            not is_known_missing(execution)
            and not self._outdated(execution)
            and self._concerned(execution.metadata.namespace)
        ):
            self._queue.add(execution)

    def left(self, uid: str, at: int) -> None:
        """Look again at a request that was withdrawn, or deleted, while it was being worked on."""
        self._queue.removed(uid, at)

    def changed(self, execution: Execution) -> None:
        """Take in an Execution whose status is behind. Those with a request come by the other stream."""
        uid, at = execution.metadata.uid, version(execution)
        waits = needs_reconcile(execution) and not is_known_missing(execution) and not _asked(execution)
        if waits and self._concerned(execution.metadata.namespace):
            self._queue.resource_versions.observe(uid, at)
            self._take(execution)
        else:
            self.calm(uid, at)

    def calm(self, uid: str, before: int) -> None:
        """Forget what was noted of an Execution before a version: it needs nothing, or is no longer there."""
        self._queue.resource_versions.observe(uid, before)
        if self._noted and uid in self._noted and version(self._noted[uid]) < before:
            del self._noted[uid]

    def lead(self) -> None:
        """Work on what was noted, and from now on on all that comes."""
        noted, self._noted = self._noted or {}, None
        for execution in noted.values():
            if is_unanswered(execution):
                self.hinted(execution)  # it was noted long ago, perhaps: it is read before it is acted on
            else:
                self.changed(execution)

    def hinted(self, execution: Execution) -> None:
        """Look at an open Execution whose run seems to have changed."""
        if self._concerned(execution.metadata.namespace):
            self._queue.requeue(execution, stale=is_unanswered(execution))  # it may have been withdrawn since

    def deleted(self, execution: Execution) -> None:
        """Take in the last state of an Execution that is being worked on: it tells what was still asked for."""
        self._queue.add_tombstone(execution)

    def wake(self, namespaces: set[str]) -> None:
        """Look at all that waits in these namespaces: their Organization or its Temporal has changed."""
        self._requests.trigger(namespaces)
        self._looks.trigger(namespaces)

    async def run(self) -> None:
        """Sweep until cancelled: sweeps catch what a watch missed, and look again for what was not found."""
        await asyncio.gather(self._requests.run(), self._looks.run())

    def _take(self, execution: Execution) -> None:
        """Take in one that waits. However many were never seen: a list brings them again."""
        unseen = is_unresolved(execution)
        if self._noted is not None:
            if not unseen:
                self._noted[execution.metadata.uid] = execution
        elif unseen and not self._queue.has_room:
            self._looks.trigger()
        else:
            self._queue.add(execution)

    async def _sweep(self, woken: set[str]) -> None:
        """Add all requests. What is known and unchanged is worked on only where it was woken."""
        self._queue.requeue_active(woken)
        not_found = 0
        async for execution in self._list_requests():
            if not self._concerned(execution.metadata.namespace) or self._outdated(execution):
                continue
            not_found += is_known_missing(execution) and is_unanswered(execution)
            self._compare(execution)
            self._bring(execution, woken)
        self._queue.requeue_inactive(woken)
        self.not_found, self._swept = not_found, True

    def _compare(self, execution: Execution) -> None:
        """Count a request that its stream has not brought; before the first sweep ends, none was due."""
        if (
            not self._swept
            or not _asked(execution)
            or is_known_missing(execution)
            or self._queue.contains(execution.metadata.uid)
        ):
            return
        if (asked := asked_at(execution)) and self._now() - asked > LATE:
            FOUND_BY_RELIST.inc()

    def _bring(self, execution: Execution, woken: set[str]) -> None:
        """Take in one that is listed. Where it was woken, it is worked on though it be known, and unchanged."""
        if execution.metadata.namespace in woken:
            self._queue.requeue(execution)
        else:
            self._queue.add(execution)

    def _outdated(self, execution: Execution) -> bool:
        return self._queue.resource_versions.is_outdated(execution.metadata.uid, version(execution))

    async def _look(self, woken: set[str]) -> None:
        """Add all that wait for a first look, as room comes: each that waits in the queue has its price.

        A look that is under way in a namespace that was woken may have decided on what was: another one follows.
        """
        async for execution in self._list_unseen():
            if _asked(execution) or not self._concerned(execution.metadata.namespace):
                continue
            await self._queue.wait_for_room()
            self._bring(execution, woken)


def _asked(execution: Execution) -> bool:
    return execution.spec.terminate is not None and is_unanswered(execution)
