"""Stage 2, resolve."""

import pytest

from execution_operator.api import (
    Organization,
    OwnershipProof,
    Terminate,
)
from tests.support.builders import execution, organization
from tests.unit.reconciler.harness import ACME, OTHERWISE, OWNED, TERMINATED, Harness


def test_workflow_id_templates_are_tried_in_order_until_one_is_found() -> None:
    harness = Harness(organization(templates=["{executionId}", "agent-{executionId}", "team-{executionId}"]))
    harness.temporal.start("agent-wf")
    harness.temporal.start("team-wf")
    harness.server.create(execution())
    harness.reconcile()
    assert (harness.calls_by_name, harness.now.status.workflow_id) == ({"describe": 2, "write_status": 1}, "agent-wf")


@pytest.mark.parametrize("owner", [{}, {"OrganizationId": "rival"}], ids=["none", "another's"])
def test_a_workflow_of_another_organization_is_not_touched(owner: dict[str, str]) -> None:
    harness = Harness(OWNED)
    run = harness.temporal.start("wf", attributes=owner)
    harness.temporal.upsert(run, {"OrganizationId": "acme"})
    harness.server.create(execution("stop"))
    harness.reconcile()
    assert (run.open, harness.summary) == (True, ("pending", "False/OrganizationMismatch", None))
    assert harness.now.status.run_id is None


def expired(*organizations: Organization, owner: str = "acme") -> Harness:
    """Play a workflow under one Organization after another, until its first run expires and its end is asked for."""
    harness = Harness(organizations[0])
    first = harness.temporal.start("wf", attributes={"OrganizationId": owner})
    harness.server.create(execution())
    for each in organizations:
        harness.mapping.put(each)
        harness.reconcile()
    harness.temporal.continue_as_new(first)
    harness.reconcile()
    harness.temporal.delete(first)
    harness.server.edit(harness.now, terminate=Terminate(reason="stop"))
    return harness


@pytest.mark.parametrize("before", [(OWNED,), (ACME, OWNED), (OWNED, ACME)], ids=["always", "later", "before"])
def test_the_recorded_proof_counts_once_the_first_run_is_past_its_retention(before: tuple[Organization, ...]) -> None:
    harness = expired(*before)
    harness.mapping.put(OWNED)
    harness.reconcile()
    assert harness.summary == TERMINATED
    assert harness.now.status.observed_ownership == OwnershipProof(search_attribute="OrganizationId", value="acme")


@pytest.mark.parametrize("now", OTHERWISE)
def test_a_proof_that_differs_from_the_recorded_one_is_denied_past_retention(now: Organization) -> None:
    harness = expired(OWNED)
    harness.mapping.put(now)
    harness.reconcile()
    assert (harness.summary[1], harness.temporal.terminated) == ("False/OrganizationMismatch", [])


def test_an_unpinned_run_has_no_proof_past_retention() -> None:
    harness = Harness(OWNED)
    run = harness.temporal.start("wf", attributes={"OrganizationId": "acme"})
    harness.temporal.continue_as_new(run)
    harness.temporal.delete(run)
    harness.server.create(execution("stop"))
    harness.reconcile()
    assert harness.summary[1] == "False/OrganizationMismatch"


def test_a_pin_without_a_recorded_proof_proves_nothing_past_retention() -> None:
    harness = expired(ACME, owner="rival")
    harness.mapping.put(OWNED)
    harness.reconcile()
    assert (harness.summary[1], harness.temporal.terminated) == ("False/OrganizationMismatch", [])
