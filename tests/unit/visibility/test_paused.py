"""Pauses: every difference is told, none again and again, at the price of a page every few seconds."""

from collections.abc import Sequence

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.paused import AGAIN, OFF, PAGE_PAUSE, PausedRunPoller
from tests.support.clock import at_once
from tests.support.visibility import FakeVisibility


class Bench:
    """Two running Executions and a paused one, in a Temporal namespace that shows just this."""

    def __init__(self) -> None:
        self.runs, self.visibility = OpenRuns(), FakeVisibility(pauses=["run-2"])
        self.seconds = 0.0
        self.told: list[str] = []
        self.pauses = PausedRunPoller(self.runs, self._tell, lambda: self.seconds)
        for number, phase in enumerate(("running", "running", "paused")):
            self.record(number, phase)

    def record(self, number: int, phase: str, organization: str = "acme") -> None:
        """Have the status of an Execution show a phase."""
        self.runs.put(Reference(f"uid-{number}", "team-a", f"ex-{number}", organization, f"run-{number}", phase))

    def look(self, after: float = PAGE_PAUSE) -> list[str]:
        """Look so many seconds later; return what was told by it."""
        self.seconds += after
        self.told = []
        at_once(self.pauses.look({"acme"}, self.visibility))
        return self.told

    def _tell(self, references: Sequence[Reference]) -> None:
        self.told += sorted(reference.name for reference in references)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_where_nothing_differs_nothing_is_told(bench: Bench) -> None:
    bench.visibility.pauses.append("somebody else's")
    assert [bench.look(), bench.look()] == [[], []]


def test_what_is_paused_is_told_and_what_goes_on(bench: Bench) -> None:
    bench.visibility.pauses = ["run-0"]
    assert bench.look() == ["ex-0", "ex-2"]
    bench.record(0, "paused")
    bench.record(2, "running")
    assert bench.look() == []
    bench.visibility.pauses = ["run-2"]
    assert bench.look() == ["ex-0", "ex-2"]


@pytest.mark.parametrize("phase", ["pending", "terminating", ""])
def test_a_phase_that_says_neither_is_left_alone(bench: Bench, phase: str) -> None:
    bench.record(0, phase)
    bench.visibility.pauses.append("run-0")
    assert bench.look() == []


def test_what_is_not_confirmed_is_told_again_an_hour_later(bench: Bench) -> None:
    bench.visibility.pauses = ["run-0"]
    assert bench.look() == ["ex-0", "ex-2"]
    looks = int(AGAIN / PAGE_PAUSE)
    assert [told for _ in range(looks - 1) if (told := bench.look())] == []
    assert bench.look() == ["ex-0", "ex-2"]


def test_a_difference_that_went_and_came_back_is_told_at_once(bench: Bench) -> None:
    told = []
    for pauses in (["run-0", "run-2"], ["run-2"], ["run-0", "run-2"]):
        bench.visibility.pauses = pauses
        told.append(bench.look())
    assert told == [["ex-0"], [], ["ex-0"]]


def test_a_page_is_asked_for_every_few_seconds_and_no_more(bench: Bench) -> None:
    bench.visibility.pauses = ["run-2", "run-0", "run-1"]
    bench.visibility.page = 1
    assert [bench.look(after=PAGE_PAUSE / 5) for _ in range(11)] == [*[[]] * 5, ["ex-0"], *[[]] * 4, ["ex-1"]]
    assert bench.visibility.asked == ["paused"] * 3


def test_what_goes_on_is_known_after_the_last_page(bench: Bench) -> None:
    bench.visibility.pauses = ["run-0", "somebody else's", "run-2"]
    bench.visibility.page = 1
    assert [bench.look(), bench.look(), bench.look()] == [["ex-0"], [], []]
    bench.visibility.pauses = ["run-0", "somebody else's", "run-1"]
    assert [bench.look(), bench.look(), bench.look()] == [[], [], ["ex-1", "ex-2"]]


def test_what_is_paused_in_another_temporal_namespace_is_not_told(bench: Bench) -> None:
    bench.record(2, "paused", organization="globex")
    bench.visibility.pauses = []
    assert bench.look() == []


def test_without_an_answer_it_is_asked_again_at_the_next_look(bench: Bench) -> None:
    bench.visibility.pauses = ["run-0", "run-2"]
    bench.visibility.fault = True
    with pytest.raises(TemporalError):
        bench.look()
    bench.visibility.fault = False
    assert bench.look(after=1) == ["ex-0"]


def test_a_server_that_does_not_know_the_status_is_left_alone_for_long(bench: Bench) -> None:
    bench.visibility.pauses = ["run-0"]
    bench.visibility.deny = True
    assert [bench.look() for _ in range(int(OFF / PAGE_PAUSE))] == [[]] * int(OFF / PAGE_PAUSE)
    assert bench.visibility.asked == ["paused"]
    bench.visibility.deny = False
    assert bench.look() == ["ex-0", "ex-2"]
