"""Polls the visibility of one Temporal namespace and enqueues the Executions whose run seems to have changed.

A report proves nothing: the receiver describes the run in Temporal.
"""

from collections.abc import Callable
from collections.abc import Mapping as Map
from datetime import datetime

from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.telemetry.metrics import observe_close_detection
from execution_operator.visibility.backfill import OpenRunBackfill
from execution_operator.visibility.cursor import COUNT_INTERVAL_SECONDS, ClosedRunCursor
from execution_operator.visibility.paused import PausedRunPoller
from execution_operator.visibility.ports import Enqueue, Visibility

ClosedAt = dict[Reference, datetime | None]
"""Executions whose run seems to have closed, with the close time, or None if that is not known."""

SLOW_POLL_ROWS = 50
"""A poll slows down the next ones if it reads at least this many rows and reports nothing.

Such runs were closed by the operator itself or belong to no Execution. Each poll costs the server.
"""

SLOW_POLL_INTERVAL_SECONDS = 1.5
"""Seconds until the next poll and the next count while polling is slowed down."""


class NamespacePoller:
    """Finds runs of open Executions that closed, were paused or were unpaused in one Temporal namespace.

    The four methods can run concurrently. Each does nothing if it is not due, or if the Organizations have no open
    Execution.

    Args:
        open_runs: The open Executions.
        enqueue: Called with the Executions whose run seems to have changed.
        clock: Returns monotonic time in seconds.
        busy: Whether the Execution with this UID is being reconciled. Its report is pending until the reconcile has
            ended. Usually the reconcile closed the run itself, and then nothing is left to report.
    """

    def __init__(
        self,
        open_runs: OpenRuns,
        enqueue: Enqueue,
        clock: Callable[[], float],
        busy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._open_runs = open_runs
        self._enqueue = enqueue
        self._clock = clock
        self._busy = busy
        self._cursor = ClosedRunCursor(clock)
        self._backfill = OpenRunBackfill(open_runs, clock, busy)
        self._pending: ClosedAt = {}
        self._reported: ClosedAt = {}
        self._paused = PausedRunPoller(open_runs, enqueue, clock)
        self._due = clock()

    async def poll(self, organizations: set[str], visibility: Visibility) -> None:
        """List the runs that closed since the last poll, and report each of them once.

        Args:
            organizations: The Organizations whose workflows run in this Temporal namespace.
            visibility: The visibility of this Temporal namespace.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
        """
        if self._is_idle(organizations):
            self._cursor = ClosedRunCursor(self._clock)  # runs that close meanwhile belong to no Execution
            self._backfill.restart()
            self._pending.clear()
            return
        if self._clock() < self._due:
            self._report_closed({})  # reports that were pending
            return
        close_times = await self._cursor.poll(visibility)
        if self._cursor.truncated:
            self._backfill.restart()
        if not self._report_closed(close_times) and self._cursor.rows_read >= SLOW_POLL_ROWS:
            self._due = self._clock() + SLOW_POLL_INTERVAL_SECONDS
        self._reported = {ref: at for ref, at in self._reported.items() if at and at >= self._cursor.horizon}

    async def poll_late(self, organizations: set[str], visibility: Visibility) -> None:
        """Report closed runs that appeared late in visibility. Arguments and errors are the same as for `poll`."""
        if not self._is_idle(organizations):
            pause = SLOW_POLL_INTERVAL_SECONDS if self._clock() < self._due else COUNT_INTERVAL_SECONDS
            self._report_closed(await self._cursor.poll_late(visibility, pause))

    async def poll_paused(self, organizations: set[str], visibility: Visibility) -> None:
        """Report runs that were paused or unpaused. Arguments and errors are the same as for `poll`."""
        if not self._is_idle(organizations):
            await self._paused.poll(organizations, visibility)

    async def backfill(self, organizations: set[str], visibility: Visibility) -> None:
        """Report runs that closed before the first poll or were missed. Arguments and errors are those of `poll`.

        The backfill starts after the first poll. Otherwise a run that closes between the two would be missed.
        """
        cursor = self._cursor
        for organization in organizations:
            if self._is_idle(organizations) or self._cursor is not cursor or not cursor.started:
                return
            async for run_ids in self._backfill.closed_pages(organization, visibility):
                self._report_closed(dict.fromkeys(run_ids), again=True)

    def _is_idle(self, organizations: set[str]) -> bool:
        return not any(map(self._open_runs.has_open_runs, organizations))

    def _report_closed(self, close_times: Map[str, datetime | None], *, again: bool = False) -> bool:
        """Enqueue the Executions of closed runs, and the pending ones that are no longer busy.

        Args:
            close_times: Close times by run ID.
            again: Whether to enqueue an Execution that was enqueued for this run before.

        Returns:
            Whether any Execution was enqueued.
        """
        candidates = {ref: at for run_id, at in close_times.items() for ref in self._open_runs.of_run(run_id)}
        self._pending = {now: at for ref, at in self._pending.items() for now in self._current(ref)}
        self._pending |= {
            ref: at or self._pending.get(ref) for ref, at in candidates.items() if again or ref not in self._reported
        }
        if ready := {ref: at for ref, at in self._pending.items() if not self._busy(ref.uid)}:
            self._enqueue(tuple(ready))
            observe_close_detection(at for at in ready.values() if at)
        self._reported |= ready
        self._pending = {ref: at for ref, at in self._pending.items() if ref not in ready}
        return bool(ready)

    def _current(self, reference: Reference) -> list[Reference]:
        """Return the Execution's reference with its current phase, or nothing if it no longer pins this run."""
        return [now for now in self._open_runs.of_run(reference.run_id) if now.uid == reference.uid]
