"""What has closed lately in one Temporal namespace: each row of its visibility read about once, and none missed.

Visibility is late at times and out of order. So the rows since the newest closing that is known are read at each look,
and those before it are counted every now and then, some of them far back, and read where there are more than are known.
A row costs a server far more than its count: at a hundred closings a second, reading the last ten seconds anew each
second took a tenth of the cores that Temporal and the operator had.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from execution_operator.ports import Closings

OVERLAP, LONG_OVERLAP = timedelta(seconds=10), timedelta(minutes=10)
"""How far a count goes back behind the newest closing that is known, and how far every now and then."""

COUNT, LONG_COUNT = 2.0, 60.0
"""Seconds between two counts, and between two that go back far."""

FEW = 100
"""Rows to begin with where some are late: they are among the last ones mostly."""

REMEMBERED = 50_000
"""Closings that are remembered, some 12 MB. Where ten minutes bring more, a count goes back as far as memory does."""

EPOCH = datetime.fromtimestamp(0, UTC)


class Recent:
    """The closings of a Temporal namespace.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count_due = 0.0
        self._long_count_due = clock() + LONG_COUNT
        self._seen: dict[str, datetime] = {}
        self._memory = EPOCH
        self._newest: datetime | None = None

    @property
    def horizon(self) -> datetime:
        """What closed before it is shown no more."""
        return _back(self._newest or EPOCH, LONG_OVERLAP)

    async def look(self, closings: Closings) -> dict[str, datetime]:
        """Return when the runs closed that are new or closed within the overlap, by run ID.

        Raises:
            TemporalError: Temporal's visibility gave no answer. What the look would have shown, the next one shows.
        """
        newest = self._newest or await closings.newest() or EPOCH
        rows = {ended.run_id: ended.at async for ended in closings.closed(newest)}
        if self._clock() >= self._count_due:
            rows |= await self._late(closings, newest)
        self._seen |= rows
        self._newest = max([newest, *rows.values()])
        return rows | {run_id: at for run_id, at in self._seen.items() if at >= _back(newest, OVERLAP)}

    async def _late(self, closings: Closings, newest: datetime) -> dict[str, datetime]:
        """Return what closed before the newest and was not seen yet."""
        now = self._clock()
        far = now >= self._long_count_due
        since = max(_back(newest, LONG_OVERLAP if far else OVERLAP), self._memory)
        missing = await closings.count(since, newest) - sum(since <= at < newest for at in self._seen.values())
        late: dict[str, datetime] = {}
        if missing > 0:
            async for ended in closings.closed(since, newest, FEW):
                if ended.run_id not in self._seen:
                    late[ended.run_id] = ended.at
                if len(late) == missing:
                    break
        self._count_due = now + COUNT
        if far:
            self._long_count_due = now + LONG_COUNT
            self._forget()
        return late

    def _forget(self) -> None:
        """Forget what is too long ago, or too much."""
        kept = sorted(self._seen.items(), key=lambda row: row[1])[-REMEMBERED:]
        if len(kept) < len(self._seen):
            self._memory = kept[0][1] + timedelta.resolution
        self._seen = {run_id: at for run_id, at in kept if at >= self.horizon}


def _back(moment: datetime, reach: timedelta) -> datetime:
    return moment - min(reach, moment - EPOCH)
