"""Backfill of open runs: asks visibility, page by page, which of the runs of open Executions have closed.

The backfill finds runs that closed while the operator was not polling.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable

from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.ports import Visibility

BACKFILL_INTERVAL_SECONDS = 3600.0
"""Seconds between the starts of two backfills of an organization."""

BACKFILL_PAGE_SIZE = 100
"""Number of run IDs in one request."""


class OpenRunBackfill:
    """The backfill of one Temporal namespace.

    Args:
        open_runs: The open Executions.
        clock: Returns monotonic time in seconds.
        busy: Whether the Execution with this UID is being reconciled. Its run is queried later. Usually the
            reconcile describes the run anyway, and a query at the same time would only add load on the server.
    """

    def __init__(self, open_runs: OpenRuns, clock: Callable[[], float], busy: Callable[[str], bool]) -> None:
        self._open_runs = open_runs
        self._clock = clock
        self._busy = busy
        self._due: dict[str, float] = {}
        self._remaining: dict[str, deque[Reference]] = {}

    def restart(self) -> None:
        """Make a full backfill of every organization due now."""
        self._due, self._remaining = {}, {}

    async def closed_pages(self, organization: str, visibility: Visibility) -> AsyncIterator[set[str]]:
        """Yield the IDs of an organization's runs that have closed, page by page, if its backfill is due.

        After an error, the next call continues with the page that failed. Of a thousand pages, some can fail.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
        """
        if organization not in self._remaining:
            if self._clock() < self._due.get(organization, 0.0):
                return
            self._due[organization] = self._clock() + BACKFILL_INTERVAL_SECONDS
            self._remaining[organization] = deque(self._open_runs.of_organization(organization))
        remaining = self._remaining[organization]
        while page := self._next_page(remaining):
            try:
                closed = await visibility.closed_among([reference.run_id for reference in page])
            except Exception:
                remaining.extendleft(reversed(page))
                raise
            yield closed
            if self._remaining.get(organization) is not remaining:
                return  # `restart` was called meanwhile
        if not remaining:
            del self._remaining[organization]

    def _next_page(self, remaining: deque[Reference]) -> list[Reference]:
        """Take the next page. Busy Executions move to the end, and those that are no longer open are dropped."""
        page: list[Reference] = []
        for _ in range(len(remaining)):
            if len(page) == BACKFILL_PAGE_SIZE:
                break
            reference = remaining.popleft()
            if self._busy(reference.uid):
                remaining.append(reference)
            elif reference.uid in self._open_runs:
                page.append(reference)
        return page
