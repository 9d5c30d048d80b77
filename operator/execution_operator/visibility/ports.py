"""What the visibility package needs of Temporal, and what it calls when a run seems to have changed."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Protocol

from execution_operator.core.workflow.runs import ClosedRun
from execution_operator.index.open_runs import Reference

Tell = Callable[[Sequence[Reference]], None]
"""Has Executions looked at whose run seems to have changed."""


class Visibility(Protocol):
    """What has closed, or is paused, in one Temporal namespace.

    Hints only: late, out of order, and never proof of anything. Every call raises TemporalError if it settled nothing.
    """

    async def newest(self) -> datetime | None:
        """Return when the run closed that closed last; None where none has."""

    def closed(self, since: datetime, before: datetime | None = None, page: int = 0) -> AsyncIterator[ClosedRun]:
        """Yield the runs that closed in this time, the last ones first. `page`: ask for so many to begin with."""

    async def count(self, since: datetime, before: datetime) -> int:
        """Return how many runs closed in this time."""

    async def among(self, run_ids: Sequence[str]) -> set[str]:
        """Return those of the runs that have closed."""

    async def paused(self, token: bytes) -> tuple[set[str], bytes]:
        """Return a page of the runs that are paused, and the token of the next one: empty before the first and last."""
