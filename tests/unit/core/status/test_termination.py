"""The record of a request: its reason, its requester and its outcome."""

import pytest

from execution_operator.core.status.execution_status import render
from execution_operator.core.status.termination import describe_close
from execution_operator.core.workflow.findings import Closed, Finding
from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from execution_operator.core.workflow.runs import CloseEvent, RunStatus
from tests.support.builders import execution
from tests.support.findings import (
    AWAY,
    CLOSE,
    COMPLETED,
    DEADLINE,
    DENIED,
    HERE,
    MISSING,
    NOW,
    OPEN,
    OURS,
    RECORDED,
    RUN,
    TERMINATED,
    TERMINATING,
    THEN,
    after,
)


def test_a_request_is_recorded_with_who_and_when() -> None:
    asked = execution(
        "stop",
        annotations={REQUESTER_ANNOTATION: "jane"},
        managed_fields=[{"time": THEN, "fieldsV1": {"f:spec": {"f:terminate": {}}}}],
    )
    termination = render(asked, OPEN, HERE, NOW).termination
    assert termination is not None
    assert termination.wire() == {"reason": "stop", "requestedBy": "jane", "requestedAt": THEN}


def test_our_termination_is_recorded_with_the_reason_in_temporals_history() -> None:
    termination = after((OPEN, "stop"), (OURS, "changed meanwhile")).termination
    assert termination is not None
    assert termination.wire() == {"reason": "stop", "requestedBy": "jane", "outcome": "Terminated"}


def test_requested_at_stays_when_the_request_is_removed_after_the_termination() -> None:
    asked = execution("stop", managed_fields=[{"time": THEN, "fieldsV1": {"f:spec": {"f:terminate": {}}}}])
    status = render(asked, OPEN, HERE, THEN)
    termination = after((OURS, None), status=status).termination
    assert termination is not None
    assert termination.requested_at == THEN


def test_a_requester_that_was_not_stamped_is_absent() -> None:
    ours = Closed(RUN, CloseEvent(RunStatus.TERMINATED, CLOSE, "stop", "us", "uid-1"))
    termination = after((ours, "stop")).termination
    assert termination is not None
    assert termination.requested_by is None


def test_a_withdrawn_request_has_no_record_and_no_condition() -> None:
    status = after((OPEN, None), status=TERMINATING)
    assert (status.termination, status.condition("Terminated")) == (None, None)


@pytest.mark.parametrize("finding", [DENIED, AWAY, MISSING])
def test_the_deadline_stays_when_the_run_can_not_be_read_in_the_grace_period(finding: Finding) -> None:
    termination = after((finding, "stop"), status=TERMINATING).termination
    assert termination is not None
    assert termination.deadline == DEADLINE


def test_already_closed_says_how_and_when() -> None:
    assert describe_close(COMPLETED.closing) == f"the workflow closed as Completed at {CLOSE}"
    assert describe_close(TERMINATED.closing) == f"terminated at {CLOSE} by jane@ui: by hand"
    for status in (after((COMPLETED, "stop")), after((COMPLETED, None), (RECORDED, "stop"))):
        condition = status.condition("Terminated")
        assert condition is not None
        assert condition.message == describe_close(COMPLETED.closing)
