"""Cursor over the runs that closed recently in one Temporal namespace. It reads each visibility row about once.

Rows can appear in visibility late and out of order. The cursor therefore makes two kinds of query:

- `poll` lists the rows since the newest close time that is known.
- `poll_late` counts the rows before that time. It lists them only if the count differs from the number of rows that
  are remembered. Every minute the count covers a longer period.

Listing a row costs a server far more than counting it. At a hundred closed runs a second, listing the last ten seconds
every second took a tenth of the cores that Temporal and the operator had.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from execution_operator.visibility.ports import Visibility

OVERLAP = timedelta(seconds=10)
"""A count starts this long before the newest close time of the previous count.

`poll` also returns the remembered runs that closed within this period.
"""

LONG_OVERLAP = timedelta(minutes=10)
"""A long count starts this long before the newest close time."""

COUNT_INTERVAL_SECONDS = 1.0
"""Seconds between two counts."""

LONG_COUNT_INTERVAL_SECONDS = 60.0
"""Seconds between two long counts, and seconds until the next count after one that failed."""

COUNT_PAUSE_FACTOR = 2.0
"""Wait at least this many times as long as the last count took. This leaves a slow server time for other clients."""

LATE_ROWS_PAGE_SIZE = 100
"""Number of rows in the first page of a search for late rows, which are mostly among the newest rows."""

MAX_REMEMBERED_RUNS = 50_000
"""Maximum number of closed runs to remember (about 12 MB), and of rows that one poll reads."""

EPOCH = datetime.fromtimestamp(0, UTC)
"""The start of the cursor if no run has closed yet."""

CloseTimes = dict[str, datetime]
"""Close times by run ID."""


class ClosedRunCursor:
    """The recently closed runs of one Temporal namespace.

    Args:
        clock: Returns monotonic time in seconds.

    Attributes:
        rows_read: Number of rows that the last `poll` read.
        truncated: Whether the last `poll` left rows out, because there were more than MAX_REMEMBERED_RUNS.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count_due = clock()
        self._long_count_due = clock() + LONG_COUNT_INTERVAL_SECONDS
        self._remembered: CloseTimes = {}
        self._newest: datetime | None = None
        self._counted_until = EPOCH
        """The newest close time at the last count. The next count starts OVERLAP before it, even if it is long ago."""
        self._complete_since = EPOCH
        """All rows since this close time are remembered, except late rows."""
        self.rows_read = 0
        self.truncated = False

    @property
    def started(self) -> bool:
        """Whether the first poll has set the start time. Runs that close after it are found by polls."""
        return self._newest is not None

    @property
    def horizon(self) -> datetime:
        """The oldest close time that a poll can still return."""
        return _earlier(self._newest or EPOCH, LONG_OVERLAP)

    @property
    def remembered(self) -> frozenset[str]:
        """The IDs of the closed runs that are remembered."""
        return frozenset(self._remembered)

    async def poll(self, visibility: Visibility) -> CloseTimes:
        """Return the runs that are new in visibility, and all that closed within the overlap.

        Raises:
            TemporalError: Temporal's visibility gave no answer. The next poll returns what this one would have.
        """
        if self._newest is None:
            self._newest = await visibility.newest_close_time() or EPOCH
            self._counted_until, self._complete_since = self._newest, _earlier(self._newest, OVERLAP)
        newest, rows = self._newest, CloseTimes()
        async for closed_run in visibility.closed_runs(newest):
            rows[closed_run.run_id] = closed_run.at
            if len(rows) == MAX_REMEMBERED_RUNS:
                break
        self.rows_read = len(rows)
        self.truncated = self.rows_read == MAX_REMEMBERED_RUNS
        if self.truncated:
            self._complete_since = min(rows.values()) + timedelta.resolution
        self._remember(rows)
        return rows | self._remembered_since(_earlier(newest, OVERLAP))

    async def poll_late(self, visibility: Visibility, min_pause_seconds: float = COUNT_INTERVAL_SECONDS) -> CloseTimes:
        """Return the late rows: runs that closed before the newest one and that no poll has returned yet.

        A long count, once a minute, also returns all remembered runs again.

        Args:
            visibility: The visibility of the Temporal namespace.
            min_pause_seconds: Minimum number of seconds until the next count.

        Raises:
            TemporalError: Temporal's visibility gave no answer. A later count returns what this one would have.
        """
        now = self._clock()
        if self._newest is None or now < self._count_due:
            return {}
        is_long = now >= self._long_count_due
        self._count_due = now + LONG_COUNT_INTERVAL_SECONDS
        newest = self._newest
        since = max(self._count_start(newest, is_long=is_long), self._complete_since)
        late = await self._missing(visibility, since, newest)
        self._counted_until = newest  # concurrent polls may have moved self._newest on
        self._remember(late)
        self._schedule_counts(now, min_pause_seconds, is_long=is_long)
        if not is_long:
            return late
        self._remembered = self._remembered_since(_earlier(newest, LONG_OVERLAP))
        return late | self._remembered

    def _count_start(self, newest: datetime, *, is_long: bool) -> datetime:
        """Return the close time from which to count."""
        start = _earlier(self._counted_until, OVERLAP)
        return min(start, _earlier(newest, LONG_OVERLAP)) if is_long else start

    def _schedule_counts(self, started: float, min_pause_seconds: float, *, is_long: bool) -> None:
        """Set when the next count and, after a long count, the next long count are due."""
        now = self._clock()
        self._count_due = now + max(min_pause_seconds, COUNT_PAUSE_FACTOR * (now - started))
        if is_long:
            self._long_count_due = now + LONG_COUNT_INTERVAL_SECONDS

    async def _missing(self, visibility: Visibility, since: datetime, before: datetime) -> CloseTimes:
        """Return the runs of a period that are not remembered, and forget remembered runs that were deleted."""
        known = {run_id for run_id, at in self._remembered.items() if since <= at < before}
        missing = await visibility.count_closed(since, before) - len(known)
        late: CloseTimes = {}
        if missing == 0:
            return late
        async for closed_run in visibility.closed_runs(since, before, LATE_ROWS_PAGE_SIZE):
            if closed_run.run_id not in self._remembered:
                late[closed_run.run_id] = closed_run.at
            known.discard(closed_run.run_id)
            if len(late) == missing:
                return late
        for run_id in known:
            self._remembered.pop(run_id, None)
        return late

    def _remember(self, rows: CloseTimes) -> None:
        """Remember rows. If there are too many, keep only the newest: half of MAX_REMEMBERED_RUNS."""
        self._remembered |= rows
        self._newest = max([self._newest or EPOCH, *rows.values()])
        if len(self._remembered) > MAX_REMEMBERED_RUNS:
            kept = sorted(self._remembered.items(), key=lambda row: row[1])[-MAX_REMEMBERED_RUNS // 2 :]
            self._complete_since = max(self._complete_since, kept[0][1] + timedelta.resolution)
            self._remembered = dict(kept)

    def _remembered_since(self, start: datetime) -> CloseTimes:
        return {run_id: at for run_id, at in self._remembered.items() if at >= start}


def _earlier(moment: datetime, period: timedelta) -> datetime:
    """Return the time that is earlier by a period, but not before the epoch."""
    return moment - min(period, moment - EPOCH)
