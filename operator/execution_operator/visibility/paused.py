"""Finds open Executions whose run was paused or unpaused: compares the paused runs in visibility with the phases.

Visibility does not show when a run was paused, so there is no query for the newest pauses. Instead, the list of all
paused runs is read again and again, one page every five seconds, whatever the number of Executions. A difference does
not prove anything: visibility can be late, and a status can have its own reason to keep its phase. Therefore a
difference only causes the run to be described.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from execution_operator.api import Phase
from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.ports import Enqueue, Visibility

PAGE_INTERVAL_SECONDS = 5.0
"""Seconds between two pages. This is far below the rate limit of any server's visibility."""

REPEAT_AFTER_SECONDS = 3600.0
"""Seconds until a difference that persists is reported again."""

UNSUPPORTED_RETRY_SECONDS = 600.0
"""Seconds until the next query after a refusal. Older servers do not know the status `Paused`."""


@dataclass
class _Scan:
    """One scan of the list of paused runs.

    Attributes:
        page_token: The token of the next page.
        paused_run_ids: The paused runs of open Executions on the pages so far.
        differing: The Executions whose phase differs, on the pages so far.
    """

    page_token: bytes = b""
    paused_run_ids: set[str] = field(default_factory=set)
    differing: set[Reference] = field(default_factory=set)


class PausedRunPoller:
    """Polls the paused runs of one Temporal namespace.

    Args:
        open_runs: The open Executions.
        enqueue: Called with the Executions whose phase differs from visibility.
        clock: Returns monotonic time in seconds.
    """

    def __init__(self, open_runs: OpenRuns, enqueue: Enqueue, clock: Callable[[], float]) -> None:
        self._open_runs = open_runs
        self._enqueue = enqueue
        self._clock = clock
        self._due = -inf
        self._scan = _Scan()
        self._repeat_at: dict[Reference, float] = {}

    async def poll(self, organizations: set[str], visibility: Visibility) -> None:
        """Read one page, if it is due, and report each difference once an hour.

        A paused run is reported from its page. An unpaused run is reported after the last page.

        Args:
            organizations: The Organizations whose workflows run in this Temporal namespace.
            visibility: The visibility of this Temporal namespace.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
        """
        if self._clock() < self._due:
            return
        try:
            run_ids, next_token = await visibility.paused_runs(self._scan.page_token)
        except TemporalError as error:
            if not error.refused:
                raise
            self._scan, self._due = _Scan(), self._clock() + UNSUPPORTED_RETRY_SECONDS
            return
        self._add_page(run_ids)
        if not next_token:
            self._scan.differing |= self._unpaused(organizations)
        self._report()
        self._scan.page_token = next_token
        if not next_token:
            self._repeat_at = {ref: at for ref, at in self._repeat_at.items() if ref in self._scan.differing}
            self._scan = _Scan()
        self._due = self._clock() + PAGE_INTERVAL_SECONDS

    def _add_page(self, run_ids: set[str]) -> None:
        """Add a page to the scan: a paused run differs if its Execution has the phase `running`."""
        references = [reference for run_id in run_ids for reference in self._open_runs.of_run(run_id)]
        self._scan.paused_run_ids |= {reference.run_id for reference in references}
        self._scan.differing |= {reference for reference in references if reference.phase == Phase.RUNNING}

    def _unpaused(self, organizations: set[str]) -> set[Reference]:
        """Return the Executions with the phase `paused` whose run was on no page of the scan."""
        paused = (reference for reference in self._open_runs.paused() if reference.organization in organizations)
        return {reference for reference in paused if reference.run_id not in self._scan.paused_run_ids}

    def _report(self) -> None:
        """Enqueue the differing Executions that were not reported within the last hour."""
        now = self._clock()
        if due := [reference for reference in self._scan.differing if now >= self._repeat_at.get(reference, -inf)]:
            self._enqueue(due)
            self._repeat_at |= dict.fromkeys(due, now + REPEAT_AFTER_SECONDS)
