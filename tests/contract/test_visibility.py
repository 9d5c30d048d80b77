"""The port `Visibility`: the fake and the real server answer alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from execution_operator.temporal import visibility as adapter
from execution_operator.temporal.visibility import TemporalVisibility
from execution_operator.visibility.ports import Visibility
from tests.support.clock import at_once
from tests.support.temporal import TemporalServer
from tests.support.visibility import FakeVisibility
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Samples

ROWS = 5
UNKNOWN_RUN_ID = "00000000-0000-4000-8000-000000000000"
EPOCH, FUTURE = datetime.fromtimestamp(0, UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass
class Harness:
    """A visibility and its runs.

    Attributes:
        do: Runs a coroutine to its end.
        visibility: The fake or the real one.
        closed: The IDs of the runs that have closed, the oldest close time first.
        open: The ID of a run that has not closed.
    """

    do: Callable[[Any], Any]
    visibility: Visibility
    closed: list[str]
    open: str

    def rows(
        self, since: datetime = EPOCH, before: datetime | None = None, first_page_size: int = 0
    ) -> list[tuple[str, datetime]]:
        """Return the run ID and the close time of each run that closed in a period."""

        async def read() -> list[tuple[str, datetime]]:
            return [(row.run_id, row.at) async for row in self.visibility.closed_runs(since, before, first_page_size)]

        found: list[tuple[str, datetime]] = self.do(read())
        return found


def fake() -> Harness:
    """Return the fake."""
    visibility, runs = FakeVisibility(), [f"run-{number}" for number in range(ROWS)]
    for number, run_id in enumerate(runs):
        visibility.close(run_id, number)
    return Harness(at_once, visibility, runs, "run-open")


def real(samples: Samples) -> Harness:
    """Return the real one, as soon as it shows all closed runs."""

    async def acquire() -> None:
        """Do not limit the rate."""

    handles = [samples.begin(Agent, f"closed-{number}") for number in range(ROWS + 1)]
    for handle in handles[:ROWS]:
        samples.do(handle.terminate())
    service = samples.client.service_client.workflow_service
    *runs, still_open = (handle.result_run_id or "" for handle in handles)
    harness = Harness(samples.do, TemporalVisibility(service, "acme", acquire), runs, still_open)
    wait_for(lambda: len(harness.rows()) == ROWS, "all rows")
    return harness


@pytest.fixture(scope="module", params=["fake", "real"])
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    if request.param == "fake":
        yield fake()
        return
    with TemporalServer(["acme"]) as server, Samples(server.address, "acme") as samples:
        yield real(samples)


def test_the_newest_rows_come_first(harness: Harness) -> None:
    rows = harness.rows()
    assert [run_id for run_id, _ in rows] == harness.closed[::-1]
    assert sorted((at for _, at in rows), reverse=True) == [at for _, at in rows]


def test_the_newest_close_time_is_that_of_the_first_row(harness: Harness) -> None:
    assert harness.do(harness.visibility.newest_close_time()) == harness.rows()[0][1]


@pytest.mark.parametrize("page_size", [1, 2, ROWS])
def test_no_row_is_lost_between_pages(harness: Harness, page_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "MAX_PAGE_SIZE", 2)
    assert [run_id for run_id, _ in harness.rows(first_page_size=page_size)] == harness.closed[::-1]


def test_a_period_includes_its_start_and_excludes_its_end(harness: Harness) -> None:
    times = [at for _, at in harness.rows()[::-1]]
    assert [run_id for run_id, _ in harness.rows(since=times[1], before=times[3])] == [
        harness.closed[2],
        harness.closed[1],
    ]


def test_the_count_is_the_number_of_rows(harness: Harness) -> None:
    times = [at for _, at in harness.rows()[::-1]]
    periods = [(EPOCH, FUTURE), (times[1], times[3]), (times[2], times[2]), (FUTURE, FUTURE + timedelta(days=1))]
    for period in periods:
        assert harness.do(harness.visibility.count_closed(*period)) == len(harness.rows(*period))


def test_of_the_given_runs_the_closed_ones_are_returned(harness: Harness) -> None:
    assert harness.do(harness.visibility.closed_among([harness.closed[0], harness.open, UNKNOWN_RUN_ID])) == {
        harness.closed[0]
    }
