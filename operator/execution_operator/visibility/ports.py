"""The port to Temporal's visibility, and the callback for Executions whose run seems to have changed."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Protocol

from execution_operator.core.workflow.runs import ClosedRun
from execution_operator.index.open_runs import Reference

Enqueue = Callable[[Sequence[Reference]], None]
"""Takes Executions that must be read again, because their run seems to have changed."""


class Visibility(Protocol):
    """The visibility store of one Temporal namespace.

    Its answers can be late and out of order. They only say which runs to describe; they prove nothing.
    Every method raises TemporalError if Temporal gave no answer or refused the request.
    """

    async def newest_close_time(self) -> datetime | None:
        """Return the newest close time of any run, or None if no run has closed."""

    def closed_runs(
        self, since: datetime, before: datetime | None = None, first_page_size: int = 0
    ) -> AsyncIterator[ClosedRun]:
        """Yield the runs that closed in a period, the newest first.

        Args:
            since: Start of the period, inclusive.
            before: End of the period, exclusive. None means no end.
            first_page_size: Number of rows in the first page. 0 means the largest page.
        """

    async def count_closed(self, since: datetime, before: datetime) -> int:
        """Return how many runs closed in a period. `since` is inclusive, `before` is exclusive."""

    async def closed_among(self, run_ids: Sequence[str]) -> set[str]:
        """Return the IDs of the given runs that have closed."""

    async def paused_runs(self, page_token: bytes) -> tuple[set[str], bytes]:
        """Return one page of the IDs of paused runs, and the token of the next page.

        An empty token asks for the first page. An empty token in the answer means that this was the last page.
        """
