"""The answer for each state of an Execution, and the identifiers in the index."""

from typing import Any

import pytest

from execution_operator.api import Execution
from execution_operator.core.reasons import Reason
from execution_operator.gateway.index import ExecutionView, Index
from execution_operator.gateway.responses import answer_for
from execution_operator.kube.watch import Change


def content(name: str = "one", **status: Any) -> dict[str, Any]:
    """An Execution with a request, as the API server holds it."""
    return {
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"uid-{name}",
            "generation": 2,
            "resourceVersion": "7",
        },
        "spec": {"executionId": f"id-of-{name}", "terminate": {"reason": "why"}},
        "status": {"observedGeneration": 2, "workflowId": f"agent-execution-id-of-{name}", **status},
    }


def answered(reason: str, status: str = "False", **more: Any) -> ExecutionView:
    condition = {
        "type": "Terminated",
        "status": status,
        "reason": reason,
        "message": "because",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return ExecutionView.of(Execution.model_validate(content(conditions=[condition], **more)))


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.NAMESPACE_NOT_MAPPED, 403),
        (Reason.NAMESPACE_CONFLICT, 403),
        (Reason.ORGANIZATION_MISMATCH, 403),
        (Reason.ORGANIZATION_NOT_READY, 403),
        (Reason.EXECUTION_NOT_FOUND, 404),
        (Reason.TERMINATION_FAILED, 500),
        (Reason.TEMPORAL_UNAVAILABLE, None),
        (Reason.GRACE_PERIOD, None),
        (Reason.PENDING, None),
    ],
)
def test_answers_without_an_outcome(reason: Reason, status: int | None) -> None:
    answer = answer_for(answered(reason))
    assert (answer.status if answer else None) == status
    assert answer_for(answered(reason, observedGeneration=1)) is None, (
        "a condition of an earlier generation is not an answer"
    )


@pytest.mark.parametrize(
    ("outcome", "phase", "status"),
    [("Terminated", "cancelled", 200), ("Cancelled", "cancelled", 200), ("AlreadyClosed", "completed", 400)],
)
def test_outcomes(outcome: str, phase: str, status: int) -> None:
    view = answered(
        outcome, termination={"reason": "why", "outcome": outcome}, phase=phase, closedAt="2026-01-01T00:00:01Z"
    )
    answer = answer_for(view)
    assert answer is not None
    assert answer.status == status
    assert answer.terminated_at == ("2026-01-01T00:00:01Z" if status == 200 else "")
    assert (phase in answer.detail) == (status == 400)


def test_a_withdrawn_request() -> None:
    withdrawn = content()
    del withdrawn["spec"]["terminate"]
    answer = answer_for(ExecutionView.of(Execution.model_validate(withdrawn)))
    assert answer is not None
    assert (answer.status, "withdrawn" in answer.detail) == (500, True)


def test_the_index_finds_every_identifier_and_drops_stale_ones() -> None:
    index = Index()
    index.changed(Change(content()))
    for identifier in ("one", "team-a/one", "id-of-one", "agent-execution-id-of-one", "uid-one"):
        assert [view.name for view in index.find(identifier)] == ["one"]
    moved = content(workflowId="another")
    index.changed(Change(moved))
    assert index.find("agent-execution-id-of-one") == []
    index.listed(set())
    assert (len(index), index.find("one"), index.synced) == (0, [], True)
