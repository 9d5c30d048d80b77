"""What a Temporal server does that has limits, and whom it has never heard of: on the real server only."""

import asyncio
from collections.abc import Iterator

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import Run, RunStatus, TerminationRequest
from execution_operator.temporal.runs import TemporalRuns
from tests.support.temporal import TemporalServer
from tests.support.workflows import Agent, Samples

CALLS = 60
LIMITS = {"frontend.namespaceRPS": 10, "frontend.namespaceBurstRatio": 1.0}


@pytest.fixture(scope="module")
def samples() -> Iterator[Samples]:
    with TemporalServer(["acme"], dynamic_config=LIMITS) as server, Samples(server.address, "acme") as running:
        yield running


def runs(samples: Samples, namespace: str = "acme") -> TemporalRuns:
    return TemporalRuns(samples.client.service_client.workflow_service, namespace)


def refused(answers: "list[object]") -> list[TemporalError]:
    """Return the errors among the answers, all of which are of the kind that says: nothing is settled."""
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, TemporalError) for error in errors)
    return [error for error in errors if isinstance(error, TemporalError)]


def test_a_limit_is_no_refusal_and_passes(samples: Samples) -> None:
    handle = samples.begin(Agent, "limited")
    run = Run("limited", handle.result_run_id or "", handle.result_run_id or "")

    async def flood() -> "list[object]":
        calls = (runs(samples).describe("limited", "") for _ in range(CALLS))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    errors = refused(samples.do(flood()))
    assert 0 < len(errors) < CALLS
    assert {(error.refused, error.message) for error in errors} == {
        (False, "Temporal does not answer: RESOURCE_EXHAUSTED: namespace rate limit exceeded")
    }

    async def ask_until_done() -> RunStatus:
        """Terminate as often as it takes; whether it was done is asked, not believed."""
        while True:
            try:
                await runs(samples).terminate(run, TerminationRequest("limit", "uid-1", "team-a", "limited"))
                if (found := await runs(samples).describe("limited", "")) and not found.status.open:
                    return found.status
            except TemporalError as error:
                assert not error.refused  # noqa: PT017 - what is raised is not the point
            await asyncio.sleep(0.1)

    assert samples.do(ask_until_done()) is RunStatus.TERMINATED


def test_a_namespace_that_is_not_there_is_a_refusal_in_every_call(samples: Samples) -> None:
    missing_namespace, run = runs(samples, "nowhere"), Run("wf", "00000000-0000-4000-8000-000000000000", "")
    order = TerminationRequest("none", "uid-1", "team-a", "none")
    calls = (
        missing_namespace.describe("wf", ""),
        missing_namespace.ownership_value(run, "OrganizationId"),
        missing_namespace.close_event(run),
        missing_namespace.terminate(run, order),
        missing_namespace.request_cancel(run, order),
    )
    for call in calls:
        with pytest.raises(TemporalError, match="Namespace nowhere is not found") as refusal:
            samples.do(call)
        assert refusal.value.refused
