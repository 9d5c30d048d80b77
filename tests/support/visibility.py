"""The port `Visibility` in memory."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import ClosedRun

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@dataclass
class FakeVisibility:
    """The runs that have closed and those that are paused. Records each request.

    Attributes:
        rows: The closed runs.
        requests: The requests so far: the name of the method, with the number of rows or runs where that matters.
        unavailable: Fail every request without an answer.
        failing_request: Fail this request without an answer, for instance "count_closed".
        fails_after_rows: Fail after so many rows of closed runs.
        paused_run_ids: The paused runs.
        page_size: Rows in a page of paused runs.
        refuses_paused: Refuse the query for paused runs, as servers do that do not know the status.
        rows_read: How many rows of closed runs were read.
    """

    rows: list[ClosedRun] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    unavailable: bool = False
    failing_request: str = ""
    fails_after_rows: int | None = None
    paused_run_ids: list[str] = field(default_factory=list)
    page_size: int = 1000
    refuses_paused: bool = False
    rows_read: int = 0

    async def newest_close_time(self) -> datetime | None:
        self._record("newest_close_time")
        return max((row.at for row in self.rows), default=None)

    async def closed_runs(
        self, since: datetime, before: datetime | None = None, first_page_size: int = 0
    ) -> AsyncIterator[ClosedRun]:
        self._record(f"closed_runs, first page {first_page_size}" if first_page_size else "closed_runs")
        rows = [row for row in self.rows if since <= row.at < (before or END)]
        for number, row in enumerate(sorted(rows, key=lambda row: row.at, reverse=True)):
            if number == self.fails_after_rows:
                raise TemporalError("visibility is unavailable")
            self.rows_read += 1
            yield row

    async def count_closed(self, since: datetime, before: datetime) -> int:
        self._record("count_closed")
        return sum(since <= row.at < before for row in self.rows)

    async def closed_among(self, run_ids: Sequence[str]) -> set[str]:
        self._record(f"closed_among {len(run_ids)}")
        return {row.run_id for row in self.rows} & set(run_ids)

    async def paused_runs(self, page_token: bytes) -> tuple[set[str], bytes]:
        self._record("paused_runs")
        if self.refuses_paused:
            raise TemporalError("invalid value for search attribute ExecutionStatus: Paused", refused=True)
        start = int(page_token or b"0")
        end = start + self.page_size
        return set(self.paused_run_ids[start:end]), str(end).encode() if end < len(self.paused_run_ids) else b""

    def close(self, run_id: str, at_seconds: float = 0) -> None:
        """Add a closed run: its close time is so many seconds after START."""
        self.rows.append(ClosedRun(run_id, START + timedelta(seconds=at_seconds)))

    def _record(self, request: str) -> None:
        if self.unavailable or request == self.failing_request:
            raise TemporalError("visibility is unavailable")
        self.requests.append(request)
