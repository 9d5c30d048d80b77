"""From an Execution to what Temporal is asked and told."""

from typing import Any

import pytest

from execution_operator.core.workflow.requests import (
    REQUESTER_ANNOTATION,
    candidate_workflow_ids,
    requested_at,
    requested_by,
    termination_request,
)
from execution_operator.core.workflow.runs import TerminationRequest
from tests.support.builders import execution, organization

CANDIDATES = [
    pytest.param(["{executionId}"], ["wf"], id="as it is"),
    pytest.param(["{executionId}", "agent-{executionId}"], ["wf", "agent-wf"], id="in order"),
    pytest.param(["a-{executionId}", "{executionId}", "a-{executionId}"], ["a-wf", "wf"], id="each once"),
    pytest.param(["{executionId}/{executionId}"], ["wf/wf"], id="twice in one"),
    pytest.param(["{0}{executionId}{other}%s"], ["{0}wf{other}%s"], id="no other placeholder means anything"),
]


@pytest.mark.parametrize(("templates", "ids"), CANDIDATES)
def test_candidates(templates: list[str], ids: list[str]) -> None:
    assert candidate_workflow_ids(execution(), organization(templates=templates)) == ids


def test_an_execution_id_is_never_read_as_a_template() -> None:
    asked = execution(execution_id="{executionId}-x")
    assert candidate_workflow_ids(asked, organization(templates=["a-{executionId}"])) == ["a-{executionId}-x"]


def field(of: dict[str, Any], time: str | None = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"fieldsV1": of} | ({"time": time} if time else {})


TERMINATE: dict[str, Any] = {"f:spec": {"f:terminate": {"f:reason": {}}}}
OTHER: dict[str, Any] = {"f:spec": {"f:executionId": {}}}

TIMES = [
    pytest.param([], None, id="no managers"),
    pytest.param([field(OTHER)], None, id="others' fields"),
    pytest.param([field({"f:status": {}})], None, id="no spec"),
    pytest.param([{"time": "2026-01-01T00:00:00Z"}], None, id="no fields"),
    pytest.param([field(TERMINATE, None)], None, id="no time"),
    pytest.param([field(OTHER, "2026-09-09T00:00:00Z"), field(TERMINATE)], "2026-01-01T00:00:00Z", id="its manager's"),
    pytest.param([field(TERMINATE), field(TERMINATE, "2026-01-02T00:00:00Z")], "2026-01-02T00:00:00Z", id="the last"),
]


@pytest.mark.parametrize(("managers", "time"), TIMES)
def test_requested_at_is_the_api_servers_time(managers: list[dict[str, Any]], time: str | None) -> None:
    assert requested_at(execution("stop", managed_fields=managers)) == time


def test_requested_by_is_the_stamp_and_nothing_else() -> None:
    assert requested_by(execution("stop", annotations={REQUESTER_ANNOTATION: "jane"})) == "jane"
    assert requested_by(execution("stop", annotations={"requested-by": "mallory"})) is None


def test_an_order_carries_the_reason_verbatim_and_who_asked() -> None:
    asked = execution(" 💥 \"a\"\n'b' ", annotations={REQUESTER_ANNOTATION: "jane"})
    assert termination_request(asked) == TerminationRequest(" 💥 \"a\"\n'b' ", "uid-1", "team-a", "run", "jane")


def test_the_order_of_a_deletion_says_so() -> None:
    assert termination_request(execution(deleted=True)) == TerminationRequest(
        "Execution team-a/run was deleted", "uid-1", "team-a", "run", ""
    )
