"""The cursor reads each row once, finds late rows and bounds its memory."""

from datetime import datetime, timedelta

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import ClosedRun
from execution_operator.visibility.cursor import (
    COUNT_INTERVAL_SECONDS,
    COUNT_PAUSE_FACTOR,
    LATE_ROWS_PAGE_SIZE,
    LONG_COUNT_INTERVAL_SECONDS,
    LONG_OVERLAP,
    OVERLAP,
    ClosedRunCursor,
)
from tests.support.clock import run
from tests.support.visibility import START, FakeVisibility


class Harness:
    """A cursor, its visibility and its clock."""

    def __init__(self) -> None:
        self.visibility, self.seconds = FakeVisibility(), 0.0
        self.cursor = ClosedRunCursor(lambda: self.seconds)

    def poll(self, after: float = 0) -> set[str]:
        """Let some seconds pass, poll, and return the run IDs of the answer."""
        self.seconds += after
        return set(run(self.cursor.poll(self.visibility)))

    def poll_late(self, after: float = 0) -> set[str]:
        """Let some seconds pass, poll for late rows, and return the run IDs of the answer."""
        self.seconds += after
        return set(run(self.cursor.poll_late(self.visibility)))

    def start(self) -> None:
        """Close a first run, and poll for new and for late rows once."""
        self.visibility.close("first", 0)
        self.poll()
        self.poll_late()

    def delete(self, run_id: str) -> None:
        """Delete a run from visibility."""
        self.visibility.rows = [row for row in self.visibility.rows if row.run_id != run_id]


def test_a_poll_returns_the_runs_that_closed_within_the_overlap() -> None:
    harness = Harness()
    harness.start()
    harness.visibility.close("second", OVERLAP.total_seconds())
    assert harness.poll() == {"first", "second"}
    harness.visibility.close("third", OVERLAP.total_seconds() + 1)
    harness.poll()
    assert harness.poll() == {"second", "third"}


def test_a_row_is_read_about_once_however_many_polls_there_are() -> None:
    harness = Harness()
    for number in range(500):
        harness.visibility.close(f"run-{number}", number / 100)
        harness.poll(after=1)
        harness.poll_late()
    assert harness.visibility.rows_read <= 2 * len(harness.visibility.rows)  # the newest one is read again each time


def test_a_late_row_is_found_by_the_next_count() -> None:
    harness = Harness()
    harness.start()
    for number in range(3 * LATE_ROWS_PAGE_SIZE):
        harness.visibility.close(f"run-{number}", number / LATE_ROWS_PAGE_SIZE)
    harness.poll()
    harness.visibility.close("late", 0.5)
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS - 0.1) == set()
    assert harness.poll_late(after=0.1) == {"late"}
    assert harness.visibility.requests[-1] == f"closed_runs, first page {LATE_ROWS_PAGE_SIZE}"
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == set()
    assert harness.visibility.requests[-1] == "count_closed"


def test_a_count_goes_back_from_the_last_one_that_succeeded() -> None:
    harness = Harness()
    harness.start()
    for number in range(100):
        harness.visibility.close(f"run-{number}", 10 * number)
        harness.poll()
    harness.visibility.failing_request = "count_closed"
    with pytest.raises(TemporalError):
        harness.poll_late(after=COUNT_INTERVAL_SECONDS)
    harness.visibility.failing_request = ""
    harness.visibility.close("late", 1 - OVERLAP.total_seconds())
    assert "late" in harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)
    harness.visibility.close("much too late", 1 - OVERLAP.total_seconds())
    assert "much too late" not in harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)


def test_rows_that_a_poll_reads_during_a_count_are_counted_by_the_next_count() -> None:
    harness = Harness()
    harness.start()
    count_closed = harness.visibility.count_closed

    async def slow(since: datetime, before: datetime) -> int:
        number = await count_closed(since, before)
        for after in (100, 200):
            harness.visibility.close(f"during, {after}", after)
            await harness.cursor.poll(harness.visibility)
        return number

    harness.visibility.count_closed = slow  # type: ignore[method-assign] # polls run meanwhile
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == set()
    harness.visibility.count_closed = count_closed  # type: ignore[method-assign]
    harness.visibility.close("late", 1)
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == {"late"}


def test_a_late_row_that_closed_before_the_first_poll_is_found() -> None:
    harness = Harness()
    harness.start()
    harness.visibility.close("late", -OVERLAP.total_seconds())
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == {"late"}


def test_reading_ends_as_soon_as_all_late_rows_are_found() -> None:
    harness = Harness()
    harness.start()
    for number in range(100):
        harness.visibility.close(f"run-{number}", number / 100)
    harness.poll()
    harness.visibility.close("late", 0.955)
    read = harness.visibility.rows_read
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == {"late"}
    assert harness.visibility.rows_read - read == 4  # the newer rows and itself; the newest row is not counted


def test_a_row_that_is_very_late_is_found_by_a_long_count() -> None:
    harness = Harness()
    harness.start()
    harness.visibility.close("newest", 590)
    harness.poll()
    harness.poll_late(after=COUNT_INTERVAL_SECONDS)
    harness.visibility.close("late", -10)
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == set()
    assert "late" in harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)
    assert "late" not in harness.poll_late(after=COUNT_INTERVAL_SECONDS)


def test_a_long_count_returns_all_remembered_runs_again() -> None:
    harness = Harness()
    harness.start()
    harness.visibility.close("newest", 300)
    harness.poll()
    assert harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS) == {"first", "newest"}


def test_runs_that_closed_long_before_the_first_poll_are_not_read() -> None:
    harness = Harness()
    for number in range(100):
        harness.visibility.close(f"run-{number}", -OVERLAP.total_seconds() - 1 - number)
    harness.start()
    harness.poll()
    assert harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS) == {"first"}
    assert harness.visibility.rows_read == 2


def test_runs_that_closed_too_long_ago_are_forgotten() -> None:
    harness = Harness()
    harness.start()
    harness.visibility.close("new", LONG_OVERLAP.total_seconds() + 1)
    harness.poll()
    harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)
    assert set(harness.cursor.remembered) == {"new"}


def test_a_deleted_run_does_not_hide_a_late_row() -> None:
    harness = Harness()
    harness.start()
    for number in range(3):
        harness.visibility.close(f"run-{number}", number)
    harness.poll()
    harness.poll_late(after=COUNT_INTERVAL_SECONDS)
    harness.delete("run-0")
    harness.delete("run-1")
    harness.visibility.close("late", 0.5)
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == {"late"}
    assert set(harness.cursor.remembered) == {"first", "late", "run-2"}
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == set()
    assert harness.visibility.requests[-1] == "count_closed"


def test_memory_is_bounded_and_counts_do_not_reach_back_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.MAX_REMEMBERED_RUNS", 10)
    harness = Harness()
    for number in range(30):
        harness.visibility.close(f"run-{number}", number)
        harness.poll()
        assert len(harness.cursor.remembered) <= 10
    harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)
    read = harness.visibility.rows_read
    harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)
    assert harness.visibility.rows_read == read
    harness.visibility.close("late", 28.5)
    assert "late" in harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)


def test_a_poll_of_too_many_rows_returns_the_newest_and_is_truncated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.MAX_REMEMBERED_RUNS", 10)
    harness = Harness()
    harness.start()
    assert not harness.cursor.truncated
    for number in range(1, 30):
        harness.visibility.close(f"run-{number}", number)
    assert {f"run-{number}" for number in range(20, 30)} <= harness.poll()
    assert harness.cursor.truncated
    harness.poll()
    assert not harness.cursor.truncated


def test_a_poll_after_a_failed_one_returns_what_that_would_have_returned() -> None:
    harness = Harness()
    harness.start()
    for number in range(3):
        harness.visibility.close(f"run-{number}", 5000 + number)
    harness.visibility.fails_after_rows = 1
    with pytest.raises(TemporalError):
        harness.poll()
    harness.visibility.fails_after_rows = None
    assert harness.poll() >= {"run-0", "run-1", "run-2"}


def test_a_count_after_a_failed_one_returns_what_that_would_have_returned() -> None:
    harness = Harness()
    harness.start()
    for number in range(3):
        harness.visibility.close(f"run-{number}", number)
    harness.poll()
    harness.visibility.close("late", 0.5)
    harness.visibility.fails_after_rows = 1
    with pytest.raises(TemporalError):
        harness.poll_late(after=COUNT_INTERVAL_SECONDS)
    harness.visibility.fails_after_rows = None
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == set()  # a failed count is not repeated at once
    assert "late" in harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)


def test_a_slow_count_delays_the_next_count() -> None:
    harness = Harness()
    harness.start()
    harness.seconds += COUNT_INTERVAL_SECONDS
    count_closed = harness.visibility.count_closed

    async def slow(since: datetime, before: datetime) -> int:
        harness.seconds += 1
        return await count_closed(since, before)

    harness.visibility.count_closed = slow  # type: ignore[method-assign] # takes one second longer
    harness.poll_late()
    harness.visibility.requests.clear()
    harness.poll_late(after=COUNT_PAUSE_FACTOR - 0.1)
    assert harness.visibility.requests == []
    harness.poll_late(after=0.1)
    assert harness.visibility.requests == ["count_closed"]


def test_nothing_is_counted_before_the_first_poll() -> None:
    harness = Harness()
    assert harness.poll_late(after=COUNT_INTERVAL_SECONDS) == set()
    assert harness.visibility.requests == []


def test_a_run_that_closed_before_the_horizon_is_not_returned() -> None:
    harness = Harness()
    harness.start()
    harness.visibility.rows.append(ClosedRun("newest", START + LONG_OVERLAP + timedelta(seconds=1)))
    harness.poll()
    assert harness.cursor.horizon == START + timedelta(seconds=1)
    harness.visibility.close("too late", 0)
    assert harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS) >= {"newest"}
    assert "too late" not in harness.poll_late(after=LONG_COUNT_INTERVAL_SECONDS)
