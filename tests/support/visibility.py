"""Temporal's visibility in memory: the port `Visibility`."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import ClosedRun

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@dataclass
class FakeVisibility:
    """What has closed and what is paused, and the questions that were asked.

    Attributes:
        fault: Give no answer.
        faulty: Give none to this question.
        breaks_after: Give no answer after so many rows of those that closed.
        read: How many rows were read of those that closed.
        deny: Refuse to say what is paused, as servers do that do not know the status.
    """

    rows: list[ClosedRun] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fault: bool = False
    faulty: str = ""
    breaks_after: int | None = None
    pauses: list[str] = field(default_factory=list)
    page: int = 1000
    deny: bool = False
    read: int = 0

    async def newest(self) -> datetime | None:
        self._ask("newest")
        return max((row.at for row in self.rows), default=None)

    async def closed(self, since: datetime, before: datetime | None = None, page: int = 0) -> AsyncIterator[ClosedRun]:
        self._ask(f"closed, {page} at first" if page else "closed")
        rows = [row for row in self.rows if since <= row.at < (before or END)]
        for number, row in enumerate(sorted(rows, key=lambda row: row.at, reverse=True)):
            if number == self.breaks_after:
                raise TemporalError("visibility is away")
            self.read += 1
            yield row

    async def count(self, since: datetime, before: datetime) -> int:
        self._ask("count")
        return sum(since <= row.at < before for row in self.rows)

    async def among(self, run_ids: Sequence[str]) -> set[str]:
        self._ask(f"among {len(run_ids)}")
        return {row.run_id for row in self.rows} & set(run_ids)

    async def paused(self, token: bytes) -> tuple[set[str], bytes]:
        self._ask("paused")
        if self.deny:
            raise TemporalError("invalid value for search attribute ExecutionStatus: Paused", refused=True)
        start = int(token or b"0")
        end = start + self.page
        return set(self.pauses[start:end]), str(end).encode() if end < len(self.pauses) else b""

    def close(self, run_id: str, after: float = 0) -> None:
        self.rows.append(ClosedRun(run_id, START + timedelta(seconds=after)))

    def _ask(self, question: str) -> None:
        if self.fault or question == self.faulty:
            raise TemporalError("visibility is away")
        self.asked.append(question)
