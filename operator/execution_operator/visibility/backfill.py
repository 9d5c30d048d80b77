"""The roll call: the open runs, asked for by name, a page at a time. What closed while nobody looked is found so."""

from collections import deque
from collections.abc import AsyncIterator, Callable

from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.ports import Visibility

ROLL_CALL, NAMES = 3600.0, 100
"""Seconds between two questions for all open runs by name, and the names in one request."""


class OpenRunBackfill:
    """The roll of one Temporal namespace.

    Args:
        runs: The open Executions.
        clock: Seconds that only go forward.
        busy: Tells by its UID whether an Execution is being worked on. Its turn comes when it is not: mostly the work
            shows how its run stands, and in a crowd of requests the call would cost the server as much as it finds.
    """

    def __init__(self, runs: OpenRuns, clock: Callable[[], float], busy: Callable[[str], bool]) -> None:
        self._runs = runs
        self._clock = clock
        self._busy = busy
        self._due: dict[str, float] = {}
        self._left: dict[str, deque[Reference]] = {}

    def begin_anew(self) -> None:
        """Have all be called, from the beginning."""
        self._due, self._left = {}, {}

    async def closed(self, organization: str, closings: Visibility) -> AsyncIterator[set[str]]:
        """Yield those of an organization's open runs that have closed, page by page, if their time has come.

        A call that broke off goes on with the page that it had come to: with a thousand of them, one fails at times.

        Raises:
            TemporalError: Temporal's visibility gave no answer.
        """
        if organization not in self._left:
            if self._clock() < self._due.get(organization, 0.0):
                return
            self._due[organization] = self._clock() + ROLL_CALL
            self._left[organization] = deque(self._runs.of_organization(organization))
        left = self._left[organization]
        while page := self._page(left):
            try:
                closed = await closings.among([reference.run_id for reference in page])
            except Exception:
                left.extendleft(reversed(page))
                raise
            yield closed
            if self._left.get(organization) is not left:
                return  # it has begun anew meanwhile
        if not left:
            del self._left[organization]

    def _page(self, left: deque[Reference]) -> list[Reference]:
        """Take the next ones to be called. Those that are not open any more are let go."""
        page: list[Reference] = []
        for _ in range(len(left)):
            if len(page) == NAMES:
                break
            reference = left.popleft()
            if self._busy(reference.uid):
                left.append(reference)
            elif reference.uid in self._runs:
                page.append(reference)
        return page
