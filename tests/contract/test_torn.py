"""Histories with batches that do not count, as crashes of a Temporal server leave them: on the real server only."""

from collections.abc import Iterator

import pytest
from temporalio.api.enums.v1 import EventType

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus, Unclosed
from execution_operator.temporal.runs import LAST_EVENT_PAGE_SIZES, TemporalRuns
from tests.support.temporal import TemporalServer
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Samples

TIMER_STARTED = EventType.EVENT_TYPE_TIMER_STARTED
MAX_TORN_BATCHES = LAST_EVENT_PAGE_SIZES[-1] - 1
"""Batches that do not count, which leave room for one that does."""


@pytest.fixture(scope="module")
def server() -> Iterator[TemporalServer]:
    with TemporalServer(["acme"], durable=True) as running:
        yield running


@pytest.fixture(scope="module")
def samples(server: TemporalServer) -> Iterator[Samples]:
    with Samples(server.address, "acme") as running:
        yield running


def torn(server: TemporalServer, samples: Samples, name: str, times: int, *, ended: bool) -> Run:
    """Start a workflow, end it or not, and have its last write broken off so many times."""
    handle = samples.begin(Agent, name)
    run = Run(name, handle.result_run_id or "", handle.result_run_id or "")
    wait_for(lambda: samples.last_event(name).event_type == TIMER_STARTED, "the workflow to wait")
    if ended:
        samples.do(handle.terminate(reason="by hand"))
    for _ in range(times):
        server.tear(run.run_id)
    return run


def look(samples: Samples, run: Run) -> CloseEvent | Unclosed:
    return samples.do(TemporalRuns(samples.client.workflow_service, "acme").close_event(run))


@pytest.mark.parametrize("times", [1, 2, 3, MAX_TORN_BATCHES])
def test_the_last_event_that_counts_is_found(server: TemporalServer, samples: Samples, times: int) -> None:
    found = look(samples, torn(server, samples, f"ended-{times}", times, ended=True))
    assert isinstance(found, CloseEvent)
    assert (found.status, found.reason) == (RunStatus.TERMINATED, "by hand")


def test_an_open_run_is_open(server: TemporalServer, samples: Samples) -> None:
    assert look(samples, torn(server, samples, "open", 1, ended=False)) is Unclosed.OPEN


def test_a_history_without_an_end_in_sight_settles_nothing(server: TemporalServer, samples: Samples) -> None:
    run = torn(server, samples, "hopeless", MAX_TORN_BATCHES + 1, ended=True)
    with pytest.raises(TemporalError, match="no event of run") as error:
        look(samples, run)
    assert not error.value.refused
