"""What has closed lately: each row read once, late ones found, memory bounded."""

from datetime import timedelta

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.recent import COUNT, FEW, LONG_COUNT, LONG_OVERLAP, OVERLAP, Recent
from tests.support.clock import run
from tests.support.visibility import Visibility


class Bench:
    """What has closed lately, and its visibility."""

    def __init__(self) -> None:
        self.visibility, self.seconds = Visibility(), 0.0
        self.recent = Recent(lambda: self.seconds)

    def look(self, after: float = 0) -> set[str]:
        """Return what a look shows after some seconds."""
        self.seconds += after
        return set(run(self.recent.look(self.visibility)))


def test_a_look_shows_what_closed_within_the_overlap_and_no_more() -> None:
    bench = Bench()
    bench.visibility.close("old", -OVERLAP.total_seconds() - 1)
    bench.visibility.close("newer", -OVERLAP.total_seconds())
    bench.visibility.close("newest", 0)
    assert bench.look() == {"newer", "newest"}


def test_a_row_is_read_about_once_however_many_looks_there_are() -> None:
    bench = Bench()
    for number in range(500):
        bench.visibility.close(f"run-{number}", number / 100)
        bench.look(after=1)
    assert bench.visibility.read <= 2 * len(bench.visibility.rows)  # the newest one is read again each time


def test_a_late_row_is_found_by_the_next_count() -> None:
    bench = Bench()
    for number in range(3 * FEW):
        bench.visibility.close(f"run-{number}", number / FEW)
    bench.look()
    bench.visibility.close("late", -1)
    assert "late" not in bench.look(after=COUNT - 0.1)
    assert "late" in bench.look(after=0.1)
    assert bench.visibility.asked[-1] == f"closed, {FEW} at first"
    bench.look(after=COUNT)
    assert bench.visibility.asked[-1] == "count"


def test_reading_ends_once_all_late_rows_are_found() -> None:
    bench = Bench()
    for number in range(100):
        bench.visibility.close(f"run-{number}", number / 100)
    bench.look()
    bench.visibility.close("late", 0.955)
    read = bench.visibility.read
    assert "late" in bench.look(after=COUNT)
    assert bench.visibility.read - read == 1 + 4  # the newest one again, and those between


def test_a_row_that_is_very_late_is_found_by_a_long_count_and_shown_once() -> None:
    bench = Bench()
    bench.visibility.close("newest", 1000)
    bench.look()
    bench.visibility.close("late", 1000 - LONG_OVERLAP.total_seconds())
    assert bench.look(after=COUNT) == {"newest"}
    assert bench.look(after=LONG_COUNT) == {"newest", "late"}
    assert bench.look(after=LONG_COUNT) == {"newest"}


def test_what_is_too_long_ago_is_forgotten() -> None:
    bench = Bench()
    bench.visibility.close("old", 0)
    bench.look()
    bench.visibility.close("new", LONG_OVERLAP.total_seconds() + 1)
    bench.look()
    bench.look(after=LONG_COUNT)
    assert set(bench.recent._seen) == {"new"}


def test_of_very_many_only_the_last_are_remembered_and_older_ones_are_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("execution_operator.recent.REMEMBERED", 10)
    bench = Bench()
    for number in range(30):
        bench.visibility.close(f"run-{number}", number)
        bench.look(after=COUNT)
    bench.look(after=LONG_COUNT)
    bench.visibility.asked.clear()
    bench.look(after=LONG_COUNT)
    assert bench.visibility.asked == ["closed", "count"]
    bench.visibility.close("late", 21)
    assert "late" in bench.look(after=LONG_COUNT)


def test_what_a_look_that_failed_would_have_shown_the_next_one_shows() -> None:
    bench = Bench()
    bench.look()
    bench.visibility.close("first", 0)
    bench.visibility.fault = True
    with pytest.raises(TemporalError):
        bench.look()
    bench.visibility.fault = False
    bench.visibility.close("second", 5000)
    assert bench.look() == {"first", "second"}


def test_what_closed_before_the_horizon_is_shown_no_more() -> None:
    bench = Bench()
    bench.visibility.close("newest", 5000)
    bench.look()
    bench.visibility.close("late", 5000)
    bench.visibility.close("too late", 5000 - LONG_OVERLAP.total_seconds() - 1)
    assert "too late" not in bench.look(after=LONG_COUNT)
    assert bench.visibility.rows[0].at - bench.recent.horizon == timedelta(seconds=600)
