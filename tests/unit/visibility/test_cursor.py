"""What has closed lately: each row read once, late ones found, memory bounded."""

from datetime import datetime, timedelta

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import ClosedRun
from execution_operator.visibility.cursor import COUNT, FEW, LONG_COUNT, LONG_OVERLAP, OVERLAP, SHARE, ClosedRunCursor
from tests.support.clock import run
from tests.support.visibility import START, FakeVisibility


class Bench:
    """What has closed lately, and its visibility."""

    def __init__(self) -> None:
        self.visibility, self.seconds = FakeVisibility(), 0.0
        self.recent = ClosedRunCursor(lambda: self.seconds)

    def look(self, after: float = 0) -> set[str]:
        """Return what a look shows after some seconds."""
        self.seconds += after
        return set(run(self.recent.look(self.visibility)))

    def late(self, after: float = 0) -> set[str]:
        """Return what a count shows after some seconds."""
        self.seconds += after
        return set(run(self.recent.late(self.visibility)))

    def begin(self) -> None:
        """Have a first look, and a count, at a time long after."""
        self.visibility.close("first", 0)
        self.look()
        self.late()

    def delete(self, run_id: str) -> None:
        """Have a run deleted."""
        self.visibility.rows = [row for row in self.visibility.rows if row.run_id != run_id]


def test_a_look_shows_what_closed_within_the_overlap_and_no_more() -> None:
    bench = Bench()
    bench.begin()
    bench.visibility.close("second", OVERLAP.total_seconds())
    assert bench.look() == {"first", "second"}
    bench.visibility.close("third", OVERLAP.total_seconds() + 1)
    bench.look()
    assert bench.look() == {"second", "third"}


def test_a_row_is_read_about_once_however_many_looks_there_are() -> None:
    bench = Bench()
    for number in range(500):
        bench.visibility.close(f"run-{number}", number / 100)
        bench.look(after=1)
        bench.late()
    assert bench.visibility.read <= 2 * len(bench.visibility.rows)  # the newest one is read again each time


def test_a_late_row_is_found_by_the_next_count() -> None:
    bench = Bench()
    bench.begin()
    for number in range(3 * FEW):
        bench.visibility.close(f"run-{number}", number / FEW)
    bench.look()
    bench.visibility.close("late", 0.5)
    assert bench.late(after=COUNT - 0.1) == set()
    assert bench.late(after=0.1) == {"late"}
    assert bench.visibility.asked[-1] == f"closed, {FEW} at first"
    assert bench.late(after=COUNT) == set()
    assert bench.visibility.asked[-1] == "count"


def test_a_count_goes_back_from_the_last_one_that_succeeded() -> None:
    bench = Bench()
    bench.begin()
    for number in range(100):
        bench.visibility.close(f"run-{number}", 10 * number)
        bench.look()
    bench.visibility.faulty = "count"
    with pytest.raises(TemporalError):
        bench.late(after=COUNT)
    bench.visibility.faulty = ""
    bench.visibility.close("late", 1 - OVERLAP.total_seconds())
    assert "late" in bench.late(after=LONG_COUNT)
    bench.visibility.close("much too late", 1 - OVERLAP.total_seconds())
    assert "much too late" not in bench.late(after=LONG_COUNT)


def test_what_a_look_takes_in_during_a_count_does_not_count_as_counted() -> None:
    bench = Bench()
    bench.begin()
    count = bench.visibility.count

    async def slow(since: datetime, before: datetime) -> int:
        number = await count(since, before)
        for after in (100, 200):
            bench.visibility.close(f"during, {after}", after)
            await bench.recent.look(bench.visibility)
        return number

    bench.visibility.count = slow  # type: ignore[method-assign] # others look meanwhile
    assert bench.late(after=COUNT) == set()
    bench.visibility.count = count  # type: ignore[method-assign]
    bench.visibility.close("late", 1)
    assert bench.late(after=COUNT) == {"late"}


def test_a_row_that_closed_before_the_first_look_and_is_late_is_found() -> None:
    bench = Bench()
    bench.begin()
    bench.visibility.close("late", -OVERLAP.total_seconds())
    assert bench.late(after=COUNT) == {"late"}


def test_reading_ends_once_all_late_rows_are_found() -> None:
    bench = Bench()
    bench.begin()
    for number in range(100):
        bench.visibility.close(f"run-{number}", number / 100)
    bench.look()
    bench.visibility.close("late", 0.955)
    read = bench.visibility.read
    assert bench.late(after=COUNT) == {"late"}
    assert bench.visibility.read - read == 4  # those in front of it; the newest one of all is not counted


def test_a_row_that_is_very_late_is_found_by_a_long_count() -> None:
    bench = Bench()
    bench.begin()
    bench.visibility.close("newest", 590)
    bench.look()
    bench.late(after=COUNT)
    bench.visibility.close("late", -10)
    assert bench.late(after=COUNT) == set()
    assert "late" in bench.late(after=LONG_COUNT)
    assert "late" not in bench.late(after=COUNT)


def test_a_long_count_shows_all_that_is_remembered_once_more() -> None:
    bench = Bench()
    bench.begin()
    bench.visibility.close("newest", 300)
    bench.look()
    assert bench.late(after=LONG_COUNT) == {"first", "newest"}


def test_what_closed_long_before_the_first_look_is_not_read() -> None:
    bench = Bench()
    for number in range(100):
        bench.visibility.close(f"run-{number}", -OVERLAP.total_seconds() - 1 - number)
    bench.begin()
    bench.look()
    assert bench.late(after=LONG_COUNT) == {"first"}
    assert bench.visibility.read == 2


def test_what_is_too_long_ago_is_forgotten() -> None:
    bench = Bench()
    bench.begin()
    bench.visibility.close("new", LONG_OVERLAP.total_seconds() + 1)
    bench.look()
    bench.late(after=LONG_COUNT)
    assert set(bench.recent._seen) == {"new"}


def test_a_run_that_was_deleted_hides_no_late_one() -> None:
    bench = Bench()
    bench.begin()
    for number in range(3):
        bench.visibility.close(f"run-{number}", number)
    bench.look()
    bench.late(after=COUNT)
    bench.delete("run-0")
    bench.delete("run-1")
    bench.visibility.close("late", 0.5)
    assert bench.late(after=COUNT) == {"late"}
    assert set(bench.recent._seen) == {"first", "late", "run-2"}
    assert bench.late(after=COUNT) == set()
    assert bench.visibility.asked[-1] == "count"


def test_memory_is_bounded_and_what_it_does_not_reach_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.REMEMBERED", 10)
    bench = Bench()
    for number in range(30):
        bench.visibility.close(f"run-{number}", number)
        bench.look()
        assert len(bench.recent._seen) <= 10
    bench.late(after=LONG_COUNT)
    read = bench.visibility.read
    bench.late(after=LONG_COUNT)
    assert bench.visibility.read == read
    bench.visibility.close("late", 28.5)
    assert "late" in bench.late(after=LONG_COUNT)


def test_of_more_than_can_be_remembered_the_newest_are_shown_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.REMEMBERED", 10)
    bench = Bench()
    bench.begin()
    assert not bench.recent.cut
    for number in range(1, 30):
        bench.visibility.close(f"run-{number}", number)
    assert {f"run-{number}" for number in range(20, 30)} <= bench.look()
    assert bench.recent.cut
    bench.look()
    assert not bench.recent.cut


def test_what_a_look_that_broke_off_would_have_shown_the_next_one_shows() -> None:
    bench = Bench()
    bench.begin()
    for number in range(3):
        bench.visibility.close(f"run-{number}", 5000 + number)
    bench.visibility.breaks_after = 1
    with pytest.raises(TemporalError):
        bench.look()
    bench.visibility.breaks_after = None
    assert bench.look() >= {"run-0", "run-1", "run-2"}


def test_what_a_count_that_broke_off_would_have_shown_a_later_one_shows() -> None:
    bench = Bench()
    bench.begin()
    for number in range(3):
        bench.visibility.close(f"run-{number}", number)
    bench.look()
    bench.visibility.close("late", 0.5)
    bench.visibility.breaks_after = 1
    with pytest.raises(TemporalError):
        bench.late(after=COUNT)
    bench.visibility.breaks_after = None
    assert bench.late(after=COUNT) == set()  # it is not asked again at once
    assert "late" in bench.late(after=LONG_COUNT)


def test_counts_yield_where_they_take_long() -> None:
    bench = Bench()
    bench.begin()
    bench.seconds += COUNT
    count = bench.visibility.count

    async def slow(since: datetime, before: datetime) -> int:
        bench.seconds += 1
        return await count(since, before)

    bench.visibility.count = slow  # type: ignore[method-assign] # the same, slower
    bench.late()
    bench.visibility.asked.clear()
    bench.late(after=SHARE - 0.1)
    assert bench.visibility.asked == []
    bench.late(after=0.1)
    assert bench.visibility.asked == ["count"]


def test_nothing_is_counted_before_the_first_look() -> None:
    bench = Bench()
    assert bench.late(after=COUNT) == set()
    assert bench.visibility.asked == []


def test_what_closed_before_the_horizon_is_shown_no_more() -> None:
    bench = Bench()
    bench.begin()
    bench.visibility.rows.append(ClosedRun("newest", START + LONG_OVERLAP + timedelta(seconds=1)))
    bench.look()
    assert bench.recent.horizon == START + timedelta(seconds=1)
    bench.visibility.close("too late", 0)
    assert bench.late(after=LONG_COUNT) >= {"newest"}
    assert "too late" not in bench.late(after=LONG_COUNT)
