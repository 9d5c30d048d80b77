"""Paused runs: each difference is reported once an hour, and one page is read every five seconds."""

from collections.abc import Sequence

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.visibility.paused import (
    PAGE_INTERVAL_SECONDS,
    REPEAT_AFTER_SECONDS,
    UNSUPPORTED_RETRY_SECONDS,
    PausedRunPoller,
)
from tests.support.clock import at_once
from tests.support.visibility import FakeVisibility


class Harness:
    """Two running Executions and a paused one. Visibility agrees with their phases."""

    def __init__(self) -> None:
        self.runs, self.visibility = OpenRuns(), FakeVisibility(paused_run_ids=["run-2"])
        self.seconds = 0.0
        self.reported: list[str] = []
        self.poller = PausedRunPoller(self.runs, self._enqueue, lambda: self.seconds)
        for number, phase in enumerate(("running", "running", "paused")):
            self.record(number, phase)

    def record(self, number: int, phase: str, organization: str = "acme") -> None:
        """Set the phase of an Execution."""
        self.runs.put(Reference(f"uid-{number}", "team-a", f"ex-{number}", organization, f"run-{number}", phase))

    def poll(self, after: float = PAGE_INTERVAL_SECONDS) -> list[str]:
        """Let some seconds pass, poll, and return the names of the reported Executions."""
        self.seconds += after
        self.reported = []
        at_once(self.poller.poll({"acme"}, self.visibility))
        return self.reported

    def _enqueue(self, references: Sequence[Reference]) -> None:
        self.reported += sorted(reference.name for reference in references)


@pytest.fixture
def harness() -> Harness:
    return Harness()


def test_without_a_difference_nothing_is_reported(harness: Harness) -> None:
    harness.visibility.paused_run_ids.append("unrelated")
    assert [harness.poll(), harness.poll()] == [[], []]


def test_paused_and_unpaused_runs_are_reported(harness: Harness) -> None:
    harness.visibility.paused_run_ids = ["run-0"]
    assert harness.poll() == ["ex-0", "ex-2"]
    harness.record(0, "paused")
    harness.record(2, "running")
    assert harness.poll() == []
    harness.visibility.paused_run_ids = ["run-2"]
    assert harness.poll() == ["ex-0", "ex-2"]


@pytest.mark.parametrize("phase", ["pending", "terminating", ""])
def test_an_execution_in_another_phase_is_not_reported(harness: Harness, phase: str) -> None:
    harness.record(0, phase)
    harness.visibility.paused_run_ids.append("run-0")
    assert harness.poll() == []


def test_a_difference_that_persists_is_reported_again_after_an_hour(harness: Harness) -> None:
    harness.visibility.paused_run_ids = ["run-0"]
    assert harness.poll() == ["ex-0", "ex-2"]
    polls = int(REPEAT_AFTER_SECONDS / PAGE_INTERVAL_SECONDS)
    assert [reported for _ in range(polls - 1) if (reported := harness.poll())] == []
    assert harness.poll() == ["ex-0", "ex-2"]


def test_a_difference_that_disappears_and_returns_is_reported_at_once(harness: Harness) -> None:
    reported = []
    for paused in (["run-0", "run-2"], ["run-2"], ["run-0", "run-2"]):
        harness.visibility.paused_run_ids = paused
        reported.append(harness.poll())
    assert reported == [["ex-0"], [], ["ex-0"]]


def test_one_page_is_read_every_five_seconds(harness: Harness) -> None:
    harness.visibility.paused_run_ids = ["run-2", "run-0", "run-1"]
    harness.visibility.page_size = 1
    assert [harness.poll(after=PAGE_INTERVAL_SECONDS / 5) for _ in range(11)] == [
        *[[]] * 5,
        ["ex-0"],
        *[[]] * 4,
        ["ex-1"],
    ]
    assert harness.visibility.requests == ["paused_runs"] * 3


def test_unpaused_runs_are_reported_after_the_last_page(harness: Harness) -> None:
    harness.visibility.paused_run_ids = ["run-0", "unrelated", "run-2"]
    harness.visibility.page_size = 1
    assert [harness.poll(), harness.poll(), harness.poll()] == [["ex-0"], [], []]
    harness.visibility.paused_run_ids = ["run-0", "unrelated", "run-1"]
    assert [harness.poll(), harness.poll(), harness.poll()] == [[], [], ["ex-1", "ex-2"]]


def test_paused_executions_of_another_temporal_namespace_are_not_reported(harness: Harness) -> None:
    harness.record(2, "paused", organization="globex")
    harness.visibility.paused_run_ids = []
    assert harness.poll() == []


def test_after_a_request_without_an_answer_the_next_poll_repeats_it(harness: Harness) -> None:
    harness.visibility.paused_run_ids = ["run-0", "run-2"]
    harness.visibility.unavailable = True
    with pytest.raises(TemporalError):
        harness.poll()
    harness.visibility.unavailable = False
    assert harness.poll(after=1) == ["ex-0"]


def test_a_server_that_does_not_know_the_status_is_asked_again_after_ten_minutes(harness: Harness) -> None:
    harness.visibility.paused_run_ids = ["run-0"]
    harness.visibility.refuses_paused = True
    assert [harness.poll() for _ in range(int(UNSUPPORTED_RETRY_SECONDS / PAGE_INTERVAL_SECONDS))] == [[]] * int(
        UNSUPPORTED_RETRY_SECONDS / PAGE_INTERVAL_SECONDS
    )
    assert harness.visibility.requests == ["paused_runs"]
    harness.visibility.refuses_paused = False
    assert harness.poll() == ["ex-0", "ex-2"]
