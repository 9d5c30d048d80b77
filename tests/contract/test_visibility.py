"""What visibility says of runs that have closed: the fake and the real one agree."""

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
NEVER = "00000000-0000-4000-8000-000000000000"
EPOCH, FUTURE = datetime.fromtimestamp(0, UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass
class Shown:
    """A visibility, the runs that have closed one after the other, and one that has not."""

    do: Callable[[Any], Any]
    closings: Visibility
    runs: list[str]
    open: str

    def rows(
        self, since: datetime = EPOCH, before: datetime | None = None, page: int = 0
    ) -> list[tuple[str, datetime]]:
        """Return what closed in this time."""

        async def read() -> list[tuple[str, datetime]]:
            return [(row.run_id, row.at) async for row in self.closings.closed(since, before, page)]

        found: list[tuple[str, datetime]] = self.do(read())
        return found


def fake() -> Shown:
    """Return the one in memory."""
    visibility, runs = FakeVisibility(), [f"run-{number}" for number in range(ROWS)]
    for number, run_id in enumerate(runs):
        visibility.close(run_id, number)
    return Shown(at_once, visibility, runs, "run-open")


def real(samples: Samples) -> Shown:
    """Return the real one, once it shows all."""

    async def turn() -> None:
        """Wait for nothing."""

    handles = [samples.begin(Agent, f"closed-{number}") for number in range(ROWS + 1)]
    for handle in handles[:ROWS]:
        samples.do(handle.terminate())
    service = samples.client.service_client.workflow_service
    *runs, still_open = (handle.result_run_id or "" for handle in handles)
    shown = Shown(samples.do, TemporalVisibility(service, "acme", turn), runs, still_open)
    wait_for(lambda: len(shown.rows()) == ROWS, "all rows")
    return shown


@pytest.fixture(scope="module", params=["fake", "real"])
def shown(request: pytest.FixtureRequest) -> Iterator[Shown]:
    if request.param == "fake":
        yield fake()
        return
    with TemporalServer(["acme"]) as server, Samples(server.address, "acme") as samples:
        yield real(samples)


def test_the_last_ones_come_first(shown: Shown) -> None:
    rows = shown.rows()
    assert [run_id for run_id, _ in rows] == shown.runs[::-1]
    assert sorted((at for _, at in rows), reverse=True) == [at for _, at in rows]


def test_the_newest_is_the_last_one(shown: Shown) -> None:
    assert shown.do(shown.closings.newest()) == shown.rows()[0][1]


@pytest.mark.parametrize("page", [1, 2, ROWS])
def test_pages_lose_nothing(shown: Shown, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "PAGE", 2)
    assert [run_id for run_id, _ in shown.rows(page=page)] == shown.runs[::-1]


def test_a_time_includes_its_beginning_and_not_its_end(shown: Shown) -> None:
    times = [at for _, at in shown.rows()[::-1]]
    assert [run_id for run_id, _ in shown.rows(since=times[1], before=times[3])] == [shown.runs[2], shown.runs[1]]


def test_as_many_are_counted_as_are_shown(shown: Shown) -> None:
    times = [at for _, at in shown.rows()[::-1]]
    spans = [(EPOCH, FUTURE), (times[1], times[3]), (times[2], times[2]), (FUTURE, FUTURE + timedelta(days=1))]
    for span in spans:
        assert shown.do(shown.closings.count(*span)) == len(shown.rows(*span))


def test_of_runs_by_name_only_the_closed_are_returned(shown: Shown) -> None:
    assert shown.do(shown.closings.among([shown.runs[0], shown.open, NEVER])) == {shown.runs[0]}
