"""The conditions: their order, their transition times, and their messages after a repeated finding."""

import pytest

from execution_operator.api import ExecutionStatus, Phase
from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.reasons import Reason
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Finding
from execution_operator.kube.patch import merge_patch
from tests.support.builders import execution
from tests.support.findings import (
    AWAY,
    DENIED,
    DONE,
    DONE_BY_US,
    DONE_LATE,
    GRACE,
    MISMATCH,
    MISSING,
    NOW,
    NOWHERE,
    OPEN,
    OURS,
    RECORDED,
    SEEN,
    THEN,
    after,
    shown,
)


def test_conditions_come_in_the_order_of_the_contract() -> None:
    assert [each.type for each in after((OPEN, "stop")).conditions] == [
        "Authorized",
        "Terminated",
        "Finished",
        "Reconciling",
    ]


@pytest.mark.parametrize("status", [SEEN, DONE, DONE_BY_US, DONE_LATE])
def test_reconciling_and_stalled_are_absent_in_a_normal_state(status: ExecutionStatus) -> None:
    assert (status.condition("Reconciling"), status.condition("Stalled")) == (None, None)


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING, OPEN, GRACE, OURS])
def test_reconciling_and_stalled_are_never_both_present(finding: Finding) -> None:
    status = after((finding, "stop"))
    assert None in (status.condition("Reconciling"), status.condition("Stalled"))


def test_a_repeated_error_keeps_its_first_message() -> None:
    first = after((AWAY, "stop"))
    again = after((Failing(Reason.TEMPORAL_UNAVAILABLE, "other words"), "stop"), status=first, now=NOW)
    assert merge_patch(first.wire(), again.wire()) == {}


def test_a_denial_may_change_its_message() -> None:
    first = after((DENIED, "stop"))
    again = after((Denied(Reason.NAMESPACE_NOT_MAPPED, "other words"), "stop"), status=first, now=NOW)
    assert {each.message for each in again.conditions} >= {"other words"}


def test_the_transition_time_changes_only_with_the_status() -> None:
    denied = after((DENIED, "stop"))
    other = after((Denied(Reason.NAMESPACE_CONFLICT, "both"), "stop"), status=denied, now=NOW)
    granted = after((OPEN, "stop"), status=denied, now=NOW)
    times = [
        condition.last_transition_time
        for status in (other, granted)
        if (condition := status.condition("Authorized")) is not None
    ]
    assert times == [THEN, NOW]


def test_already_closed_has_an_empty_message_without_a_finished_condition() -> None:
    status = render(execution("stop", status=ExecutionStatus(phase=Phase.COMPLETED)), RECORDED, NOWHERE, NOW)
    condition = status.condition("Terminated")
    assert condition is not None
    assert (condition.reason, condition.message) == ("AlreadyClosed", "")
    assert shown(status).authorized is None
