"""What is decided without a model agrees with what the model says."""

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus, Termination
from execution_operator.core.authorization.authorize import Denied, ResolvedTarget
from execution_operator.core.errors import Unreadable
from execution_operator.core.reasons import Reason
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Finding, NotFound, Open
from execution_operator.core.workflow.requests import requested_at
from execution_operator.core.workflow.runs import Run
from execution_operator.core.workflow.state import is_unanswered, needs_reconcile
from execution_operator.kube.parse import needs_nothing, parse, parse_strict, request_pending
from tests.support.builders import execution

AT = "2026-01-01T00:00:00Z"
PLACE = ResolvedTarget("acme", "uid-acme", "acme")


def after(finding: Finding) -> ExecutionStatus:
    return render(execution(), finding, PLACE, "2026-01-01T00:00:00Z")


SEEN = after(Open(Run("wf", "r1", "r1")))
STALLED = SEEN.model_copy(update={"conditions": after(Denied(Reason.NAMESPACE_NOT_MAPPED, "no")).conditions})
OPEN = {
    "true": execution(status=SEEN),
    "paused": execution(status=after(Open(Run("wf", "r1", "r1"), paused=True))),
    "never seen": execution(),
    "not found": execution(status=after(NotFound("none"))),
    "changed since": execution(status=SEEN, generation=2),
    "stalled": execution(status=STALLED),
    "terminates on deletion": execution(status=SEEN, policy=DeletionPolicy.TERMINATE, deleted=True),
}


@pytest.mark.parametrize("open_one", OPEN.values(), ids=OPEN)
def test_needs_nothing_agrees_with_wants_attention(open_one: Execution) -> None:
    assert needs_nothing(open_one.wire()) is not needs_reconcile(open_one)


ANSWERED = SEEN.model_copy(update={"termination": Termination(reason="stop", outcome="AlreadyClosed")})
REQUESTS = {
    "asked": execution("stop", status=SEEN),
    "asked before the first look": execution("stop"),
    "asked again, not yet answered": execution(
        "stop", status=SEEN.model_copy(update={"termination": Termination(reason="stop")})
    ),
    "answered": execution("stop", status=ANSWERED),
    "not asked": execution(status=SEEN),
}


@pytest.mark.parametrize("one", REQUESTS.values(), ids=REQUESTS)
def test_request_pending_agrees_with_unanswered(one: Execution) -> None:
    assert request_pending(one.wire()) is is_unanswered(one)


def test_an_execution_that_is_being_deleted_needs_a_reconcile() -> None:
    assert not needs_nothing(execution(status=SEEN, deleted=True).wire())


@pytest.mark.parametrize("odd", [None, 7, [1], {"f:spec": None}, {"f:spec": [1]}])
def test_malformed_managed_fields_are_ignored(odd: object) -> None:
    content = execution("stop", managed_fields=[{"time": AT, "fieldsV1": {"f:spec": {"f:terminate": {}}}}]).wire()
    content["metadata"]["managedFields"].append({"time": "2026-02-02T00:00:00Z", "fieldsV1": odd})
    assert requested_at(parse_strict(Execution, content)) == AT


def test_only_managed_fields_of_a_request_are_kept() -> None:
    writers = [
        {"time": AT, "fieldsV1": {"f:spec": {"f:terminate": {"f:reason": {}}}}},
        {"time": AT, "fieldsV1": {"f:spec": {"f:executionId": {}}}},
        {"time": AT, "fieldsV1": {"f:status": {"f:phase": {}}}, "subresource": "status"},
    ]
    one = execution("stop", managed_fields=writers)
    assert len(one.metadata.managed_fields) == 1
    assert parse_strict(Execution, one.wire()) == one


def test_an_object_that_does_not_fit_its_schema_is_reported_with_its_faults(caplog: pytest.LogCaptureFixture) -> None:
    content = execution().wire()
    content["spec"] = {"executionId": 7}
    told = "Execution team-a/run does not fit its schema: spec.executionId: Input should be a valid string"
    with pytest.raises(Unreadable) as caught:
        parse_strict(Execution, content)
    assert str(caught.value) == told
    assert parse(Execution, content) is None
    assert caplog.messages == [f"ignored: {told}"]
