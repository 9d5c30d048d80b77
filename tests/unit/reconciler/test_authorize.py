"""Stage 1, authorize."""

from dataclasses import replace

import pytest

from execution_operator.api import (
    Terminate,
)
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.runs import Run
from execution_operator.reconciler.result import Requeue
from tests.support.builders import execution, organization, probe
from tests.support.fake_temporal import FakeRuns
from tests.unit.reconciler.harness import ACME, OWNED, Harness, with_request


def test_a_denied_execution_makes_no_temporal_call() -> None:
    harness = Harness(organization("acme", "team-b"))
    harness.temporal.start("wf")
    harness.server.create(execution("stop"))
    harness.reconcile()
    assert (harness.calls_by_name, harness.summary[1]) == (
        {"write_status": 1, "record_event": 1},
        "False/NamespaceNotMapped",
    )


@pytest.mark.parametrize("reconcile", ["again", "restarted"])
def test_a_recorded_close_is_neither_read_nor_written_again(reconcile: str) -> None:
    harness, _ = with_request()
    harness.reconcile()
    harness.reconcile(harness.now if reconcile == "again" else None)
    assert harness.calls == []


def test_a_request_on_a_closed_execution_is_answered_without_a_temporal_call() -> None:
    harness = Harness()
    run = harness.temporal.start("wf")
    harness.server.create(execution())
    harness.temporal.complete(run)
    harness.reconcile()
    harness.server.edit(harness.now, terminate=Terminate(reason="late"))
    harness.reconcile()
    assert harness.calls_by_name == {"write_status": 1, "record_event": 1}
    assert harness.summary == ("completed", "False/AlreadyClosed", "AlreadyClosed")


def test_nothing_is_decided_before_the_first_probe() -> None:
    harness = Harness()
    index = Mapping()
    index.put(ACME)
    harness.mapping = index
    harness.server.create(execution("stop"))
    result = harness.reconcile()
    assert (harness.calls, result.requeue_after is not None, result.requeue is Requeue.WITH_BACKOFF) == (
        [],
        True,
        False,
    )


def test_no_temporal_call_is_made_while_the_organizations_temporal_is_unavailable() -> None:
    harness, _ = with_request()
    harness.mapping.record_probe("acme", replace(probe(ACME), fault=Reason.TEMPORAL_UNAVAILABLE))
    assert harness.reconcile().requeue is Requeue.ON_EVENT
    assert harness.calls_by_name == {"write_status": 1, "record_event": 1}


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "pinned"])
def test_an_organization_that_loses_the_namespace_during_the_look_up_does_not_terminate(*, known: bool) -> None:
    harness = Harness(OWNED)
    run = harness.temporal.start("wf", attributes={"OrganizationId": "acme"})
    harness.server.create(execution())
    if known:
        harness.reconcile()
    harness.server.edit(harness.now, terminate=Terminate(reason="stop"))

    class Overtaken(FakeRuns):
        async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
            harness.mapping.put(organization("acme", "team-b", generation=2, ownership="OrganizationId"))
            return await super().ownership_value(run, search_attribute)

    harness.runs = Overtaken(harness.temporal, "acme", harness.note)
    harness.reconcile()
    assert (run.open, harness.summary[1]) == (True, "False/NamespaceNotMapped")
