"""What has closed lately in one Temporal namespace, each row of its visibility read about once.

Visibility is late at times and out of order. So the rows since the newest closing that is known are listed at each
look, and those before it are counted every now and then, some of them far back, and read where their number is not the
one that is known. A row costs a server far more than its count: at a hundred closings a second, reading the last ten
seconds anew each second took a tenth of the cores that Temporal and the operator had.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from execution_operator.visibility.ports import Visibility

OVERLAP, LONG_OVERLAP = timedelta(seconds=10), timedelta(minutes=10)
"""How far a count goes back behind the closing that was the newest at the last one, and how far every now and then."""

COUNT, LONG_COUNT = 1.0, 60.0
"""Seconds between two counts, and between two that go back far; or until the next one, after one that failed."""

SHARE = 2.0
"""Times as long as one takes are at least between two counts, so that they yield where visibility is slow or shared."""

FEW = 100
"""Rows to begin with where some are late: they are among the last ones mostly."""

REMEMBERED = 50_000
"""Closings that are remembered at most, some 12 MB, and rows that one look reads."""

EPOCH = datetime.fromtimestamp(0, UTC)

Ends = dict[str, datetime]
"""When runs closed, by run ID."""


class ClosedRunCursor:
    """The closings of a Temporal namespace.

    Args:
        clock: Seconds that only go forward.

    Attributes:
        read: Rows that the last look read.
        cut: Whether it left rows out, because there were too many.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count_due, self._long_count_due = clock(), clock() + LONG_COUNT
        self._seen: Ends = {}
        self._newest: datetime | None = None
        self._counted = EPOCH
        """What had closed last at the last count: the next one goes back from there, however long ago that was."""
        self._complete = EPOCH
        """What closed since then is remembered, unless it is late."""
        self.read = 0
        self.cut = False

    @property
    def begun(self) -> bool:
        """Whether it is known from when on looks show what closes."""
        return self._newest is not None

    @property
    def horizon(self) -> datetime:
        """What closed before it is shown no more."""
        return _back(self._newest or EPOCH, LONG_OVERLAP)

    async def look(self, closings: Visibility) -> Ends:
        """Return the runs that are new or closed within the overlap.

        Raises:
            TemporalError: Temporal's visibility gave no answer. What the look would have shown, the next one shows.
        """
        if self._newest is None:
            self._newest = await closings.newest() or EPOCH
            self._counted, self._complete = self._newest, _back(self._newest, OVERLAP)
        newest, rows = self._newest, Ends()
        async for ended in closings.closed(newest):
            rows[ended.run_id] = ended.at
            if len(rows) == REMEMBERED:
                break
        self.read = len(rows)
        self.cut = self.read == REMEMBERED
        if self.cut:
            self._complete = min(rows.values()) + timedelta.resolution
        self._take(rows)
        return rows | self._since(_back(newest, OVERLAP))

    async def late(self, closings: Visibility, pause: float = COUNT) -> Ends:
        """Return what closed before the newest run and was not seen yet; at times, once more, all that was seen.

        Args:
            closings: What has closed.
            pause: Seconds at least until the next count.

        Raises:
            TemporalError: Temporal's visibility gave no answer. It is asked again later.
        """
        begun = self._clock()
        if self._newest is None or begun < self._count_due:
            return {}
        far = begun >= self._long_count_due
        self._count_due = begun + LONG_COUNT
        since, newest = _back(self._counted, OVERLAP), self._newest
        if far:
            since = min(since, _back(newest, LONG_OVERLAP))
        late = await self._missing(closings, max(since, self._complete), newest)
        self._counted = newest  # looks may know newer ones by now
        self._take(late)
        now = self._clock()
        self._count_due = now + max(pause, SHARE * (now - begun))
        if not far:
            return late
        self._long_count_due = now + LONG_COUNT
        self._seen = self._since(_back(newest, LONG_OVERLAP))
        return late | self._seen

    async def _missing(self, closings: Visibility, since: datetime, before: datetime) -> Ends:
        """Return what closed in this time and was not seen; forget what was seen and is no longer there."""
        known = {run_id for run_id, at in self._seen.items() if since <= at < before}
        missing = await closings.count(since, before) - len(known)
        late: Ends = {}
        if missing == 0:
            return late
        async for ended in closings.closed(since, before, FEW):
            if ended.run_id not in self._seen:
                late[ended.run_id] = ended.at
            known.discard(ended.run_id)
            if len(late) == missing:
                return late
        for run_id in known:
            self._seen.pop(run_id, None)
        return late

    def _take(self, rows: Ends) -> None:
        self._seen |= rows
        self._newest = max([self._newest or EPOCH, *rows.values()])
        if len(self._seen) > REMEMBERED:
            kept = sorted(self._seen.items(), key=lambda row: row[1])[-REMEMBERED // 2 :]
            self._complete = max(self._complete, kept[0][1] + timedelta.resolution)
            self._seen = dict(kept)

    def _since(self, moment: datetime) -> Ends:
        return {run_id: at for run_id, at in self._seen.items() if at >= moment}


def _back(moment: datetime, reach: timedelta) -> datetime:
    return moment - min(reach, moment - EPOCH)
