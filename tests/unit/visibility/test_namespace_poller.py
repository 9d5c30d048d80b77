"""The poller of a Temporal namespace reports every change, and none twice, whatever visibility does."""

from collections import Counter
from collections.abc import Sequence

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.telemetry.metrics import REGISTRY
from execution_operator.visibility.backfill import BACKFILL_INTERVAL_SECONDS, BACKFILL_PAGE_SIZE
from execution_operator.visibility.cursor import COUNT_INTERVAL_SECONDS, LONG_COUNT_INTERVAL_SECONDS, OVERLAP
from execution_operator.visibility.namespace_poller import SLOW_POLL_INTERVAL_SECONDS, SLOW_POLL_ROWS, NamespacePoller
from tests.support.clock import run
from tests.support.visibility import FakeVisibility


class Harness:
    """A poller of one Temporal namespace, its visibility, and the Executions that it reported."""

    def __init__(self, executions: int = 3) -> None:
        self.runs, self.visibility = OpenRuns(), FakeVisibility()
        self.reported: list[str] = []
        self.seconds = 0.0
        self.busy = set[str]()
        for number in range(executions):
            self.runs.put(Reference(f"uid-{number}", "team-a", f"ex-{number}", "acme", f"run-{number}"))
        self.poller = NamespacePoller(self.runs, self._enqueue, lambda: self.seconds, self.busy.__contains__)

    def _enqueue(self, references: Sequence[Reference]) -> None:
        self.reported += sorted(reference.name for reference in references)

    def poll(self, organizations: frozenset[str] = frozenset({"acme"})) -> list[str]:
        """Make each kind of poll once, and return the names of the reported Executions."""
        self.reported = []

        async def all_kinds() -> None:
            poller, failures = self.poller, list[TemporalError]()
            for poll in (poller.poll, poller.poll_late, poller.poll_paused, poller.backfill):
                try:
                    await poll(set(organizations), self.visibility)
                except TemporalError as error:
                    failures.append(error)
            if failures:
                raise failures[0]

        run(all_kinds())
        return self.reported


def test_a_run_that_closes_is_reported_once() -> None:
    harness = Harness()
    assert harness.poll() == []
    harness.visibility.close("run-1", 5)
    harness.visibility.close("unrelated", 6)
    assert [harness.poll(), harness.poll()] == [["ex-1"], []]


def test_polling_slows_down_after_many_rows_without_a_report() -> None:
    harness = Harness()
    harness.poll()
    for number in range(SLOW_POLL_ROWS):
        harness.visibility.close(f"unrelated {number}", 1 + number)
    harness.poll()
    harness.visibility.close("run-1", 1000)
    harness.visibility.requests.clear()
    harness.seconds += SLOW_POLL_INTERVAL_SECONDS - 0.1
    assert (harness.poll(), "closed_runs" in harness.visibility.requests) == ([], False)
    harness.seconds += 0.1
    assert harness.poll() == ["ex-1"]


def test_slowed_down_polling_still_reports_late_rows_and_pending_executions() -> None:
    harness = Harness()
    harness.poll()
    harness.busy.add("uid-1")
    for number in range(SLOW_POLL_ROWS):
        harness.visibility.close(f"unrelated {number}", 100 + number / SLOW_POLL_ROWS)
    harness.visibility.close("run-1", 101)
    harness.poll()
    harness.visibility.close("run-2", 100.5)
    harness.busy.clear()
    harness.seconds += COUNT_INTERVAL_SECONDS
    assert harness.poll() == ["ex-1", "ex-2"]


@pytest.mark.parametrize(("rows", "last_run"), [(SLOW_POLL_ROWS - 1, "unrelated"), (2 * SLOW_POLL_ROWS, "run-0")])
def test_polling_does_not_slow_down_after_few_rows_or_a_report(rows: int, last_run: str) -> None:
    harness = Harness()
    harness.poll()
    for number in range(1, rows):
        harness.visibility.close(f"unrelated {number}", number)
    harness.visibility.close(last_run, rows)
    harness.poll()
    harness.visibility.close("run-1", 1000)
    assert harness.poll() == ["ex-1"]


def test_a_run_that_closed_before_the_first_poll_is_found_by_the_backfill() -> None:
    harness = Harness()
    harness.visibility.close("run-2", 0)
    harness.visibility.close("unrelated", 5000)
    assert harness.poll() == ["ex-2"]


def test_the_backfill_asks_in_pages_once_an_hour() -> None:
    harness = Harness(executions=BACKFILL_PAGE_SIZE + 1)
    pages = Counter([f"closed_among {BACKFILL_PAGE_SIZE}", "closed_among 1"])
    harness.poll()
    assert Counter(harness.visibility.requests) == pages + Counter(
        ["newest_close_time", "closed_runs", "count_closed", "paused_runs"]
    )
    harness.seconds = BACKFILL_INTERVAL_SECONDS - 1
    harness.visibility.requests.clear()
    harness.poll()
    assert Counter(harness.visibility.requests) == Counter(["closed_runs", "count_closed", "paused_runs"])
    harness.seconds = BACKFILL_INTERVAL_SECONDS
    harness.visibility.requests.clear()
    harness.poll()
    assert Counter(harness.visibility.requests) == pages + Counter(["closed_runs", "count_closed"])


def test_rows_out_of_order_are_reported() -> None:
    harness = Harness()
    harness.poll()
    harness.visibility.close("run-0", 100)
    harness.poll()
    harness.visibility.close("run-1", 100 - OVERLAP.total_seconds())
    harness.seconds = COUNT_INTERVAL_SECONDS
    assert [harness.poll(), harness.poll()] == [["ex-1"], []]


def test_after_an_outage_polling_continues_where_it_was() -> None:
    harness = Harness()
    harness.visibility.close("unrelated", 0)
    harness.poll()
    harness.visibility.unavailable = True
    harness.seconds = 3000
    with pytest.raises(TemporalError):
        harness.poll()
    harness.visibility.unavailable = False
    harness.visibility.close("run-0", 10)
    harness.visibility.close("run-1", 2900)
    assert harness.poll() == ["ex-0", "ex-1"]


def test_an_execution_that_is_created_after_its_row_was_read_is_reported() -> None:
    harness = Harness()
    harness.poll()
    harness.visibility.close("run-9", 5)
    harness.poll()
    harness.runs.put(Reference("uid-9", "team-a", "ex-9", "acme", "run-9"))
    assert harness.poll() == ["ex-9"]


def test_another_organization_of_the_same_temporal_namespace_is_backfilled_too() -> None:
    harness = Harness()
    harness.visibility.close("unrelated", 0)
    harness.poll()
    harness.visibility.close("run-8", -5000)
    harness.runs.put(Reference("uid-8", "team-b", "ex-8", "globex", "run-8"))
    assert harness.poll(frozenset({"acme", "globex"})) == ["ex-8"]


def test_a_paused_run_is_reported_once() -> None:
    harness = Harness()
    harness.visibility.paused_run_ids.append("run-1")
    assert [harness.poll(), harness.poll()] == [["ex-1"], []]


def test_a_busy_execution_is_reported_as_soon_as_it_is_idle_if_it_is_still_open() -> None:
    harness = Harness()
    harness.poll()
    harness.busy |= {"uid-0", "uid-1"}
    harness.visibility.close("run-0", 5)
    harness.visibility.close("run-1", 5)
    harness.visibility.close("run-2", 5)
    assert [harness.poll(), harness.poll()] == [["ex-2"], []]
    harness.runs.drop("uid-0")
    harness.busy.clear()
    assert [harness.poll(), harness.poll()] == [["ex-1"], []]


def test_a_pending_report_survives_a_change_of_the_phase() -> None:
    harness = Harness(executions=1)
    harness.poll()
    harness.busy.add("uid-0")
    harness.visibility.close("run-0", 5)
    assert harness.poll() == []
    harness.runs.put(Reference("uid-0", "team-a", "ex-0", "acme", "run-0", "running"))
    for number in range(10):
        harness.visibility.close(f"unrelated {number}", 100 * number + 100)
        assert harness.poll() == []
    harness.busy.clear()
    assert [harness.poll(), harness.poll()] == [["ex-0"], []]


def test_without_open_executions_nothing_is_requested() -> None:
    harness = Harness(executions=0)
    harness.poll()
    assert harness.visibility.requests == []


def test_a_failing_count_does_not_stop_the_other_polls() -> None:
    harness = Harness()
    harness.poll()
    harness.visibility.failing_request = "count_closed"
    harness.visibility.close("run-0", 5)
    harness.visibility.paused_run_ids.append("run-1")
    harness.seconds = LONG_COUNT_INTERVAL_SECONDS
    with pytest.raises(TemporalError):
        harness.poll()
    assert harness.reported == ["ex-0", "ex-1"]


def test_an_execution_that_is_created_long_after_its_row_was_read_is_reported_within_a_minute() -> None:
    harness = Harness()
    harness.visibility.close("run-9", 0)
    harness.poll()
    harness.visibility.close("unrelated", OVERLAP.total_seconds() + 1)
    harness.poll()
    harness.runs.put(Reference("uid-9", "team-a", "ex-9", "acme", "run-9"))
    assert harness.poll() == []
    harness.seconds = LONG_COUNT_INTERVAL_SECONDS
    assert [harness.poll(), harness.poll()] == [["ex-9"], []]


def test_a_truncated_poll_starts_a_backfill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.MAX_REMEMBERED_RUNS", 10)
    harness = Harness()
    harness.poll()
    harness.visibility.close("run-1", 1)
    for number in range(20):
        harness.visibility.close(f"unrelated {number}", 100 + number)
    assert harness.poll() == ["ex-1"]


def test_runs_that_closed_while_no_execution_was_open_are_not_read_afterwards() -> None:
    harness = Harness(executions=1)
    harness.poll()
    harness.runs.drop("uid-0")
    harness.poll()
    for number in range(1000):
        harness.visibility.close(f"unrelated {number}", number)
    harness.visibility.close("run-1", 0)
    harness.visibility.requests.clear()
    harness.runs.put(Reference("uid-1", "team-a", "ex-1", "acme", "run-1"))
    assert harness.poll() == ["ex-1"]
    harness.seconds = LONG_COUNT_INTERVAL_SECONDS
    harness.poll()
    assert harness.visibility.rows_read < 30  # the rows of the overlap; 1,000 runs have closed


def test_a_truncated_poll_during_a_backfill_starts_the_backfill_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.MAX_REMEMBERED_RUNS", 10)
    harness, called = Harness(), FakeVisibility.closed_among

    async def truncating(self: FakeVisibility, run_ids: Sequence[str]) -> set[str]:
        found = await called(self, run_ids)
        for number in range(20):
            self.close(f"unrelated {number}", 100 + number)
        await harness.poller.poll({"acme"}, self)
        return found

    monkeypatch.setattr(FakeVisibility, "closed_among", truncating)
    harness.poll()
    monkeypatch.undo()
    harness.visibility.close("run-1", 1)
    assert harness.poll() == ["ex-1"]


def test_a_failed_backfill_is_repeated() -> None:
    harness = Harness()
    harness.visibility.close("run-1", -5000)
    harness.visibility.close("unrelated", 0)
    harness.visibility.failing_request = "closed_among 3"
    with pytest.raises(TemporalError):
        harness.poll()
    harness.visibility.failing_request = ""
    assert harness.poll() == ["ex-1"]


def test_a_failed_backfill_continues_with_the_page_that_failed() -> None:
    harness = Harness(executions=3 * BACKFILL_PAGE_SIZE)
    harness.visibility.close("unrelated", 0)
    run(harness.poller.poll({"acme"}, harness.visibility))
    closed_among, first_run_ids = harness.visibility.closed_among, list[str]()

    async def third_fails(run_ids: Sequence[str]) -> set[str]:
        first_run_ids.append(run_ids[0])
        if len(first_run_ids) == 3:
            raise TemporalError("visibility is unavailable")
        return await closed_among(run_ids)

    harness.visibility.closed_among = third_fails  # type: ignore[method-assign] # replaces one method
    with pytest.raises(TemporalError):
        run(harness.poller.backfill({"acme"}, harness.visibility))
    harness.visibility.close("run-250", -5000)
    run(harness.poller.backfill({"acme"}, harness.visibility))
    assert (first_run_ids, harness.reported) == (["run-0", "run-100", "run-200", "run-200"], ["ex-250"])


def test_a_busy_execution_is_backfilled_as_soon_as_it_is_idle_if_it_is_still_open() -> None:
    harness = Harness(executions=BACKFILL_PAGE_SIZE + 2)
    harness.busy |= {"uid-0", "uid-1"}
    harness.visibility.close("unrelated", 0)
    harness.visibility.close("run-0", -5000)
    harness.visibility.close("run-1", -5000)
    assert [harness.poll(), harness.poll()] == [[], []]
    assert [request for request in harness.visibility.requests if "closed_among" in request] == [
        f"closed_among {BACKFILL_PAGE_SIZE}"
    ]
    harness.runs.drop("uid-0")
    harness.busy.clear()
    assert harness.poll() == ["ex-1"]
    assert harness.visibility.requests[-1] == "closed_among 1"


def test_the_backfill_does_not_start_before_the_first_poll() -> None:
    harness = Harness()
    run(harness.poller.backfill({"acme"}, harness.visibility))
    assert harness.visibility.requests == []


def observed_delays() -> float:
    return REGISTRY.get_sample_value("execution_operator_close_detection_delay_seconds_count") or 0


def test_the_detection_delay_of_a_closed_run_is_observed_once() -> None:
    harness, before = Harness(), observed_delays()
    harness.poll()
    harness.visibility.close("run-1", 5)
    assert [harness.poll(), harness.poll()] == [["ex-1"], []]
    assert observed_delays() == before + 1
