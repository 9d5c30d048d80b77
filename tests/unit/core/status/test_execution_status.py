"""Old status + finding + now → new status: every finding, with and without a request, on every earlier status."""

from dataclasses import replace

import pytest

from execution_operator.api import ExecutionStatus, OwnershipProof, Phase
from execution_operator.core.authorization.authorize import Denied, ResolvedTarget
from execution_operator.core.reasons import Reason
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Closed, Finding
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus
from execution_operator.core.workflow.state import pinned_run
from execution_operator.kube.patch import merge_patch
from tests.support.builders import execution
from tests.support.findings import (
    ASKED,
    AWAY,
    CANCELED,
    CLOSE,
    COMPLETED,
    DENIED,
    DONE,
    DONE_BY_US,
    DONE_LATE,
    GRACE,
    HERE,
    MISMATCH,
    MISSING,
    NEW,
    NOW,
    NOWHERE,
    OPEN,
    OURS,
    PAUSED,
    RECORDED,
    REFUSED,
    REFUSED_BEFORE,
    RUN,
    SEEN,
    TERMINATED,
    TERMINATING,
    THEN,
    Want,
    after,
    elsewhere,
    shown,
)

NO, UNSEEN = "False/NamespaceNotMapped", "False/Pending"
STUCK = "True/NamespaceNotMapped"
LOST = "True/ExecutionNotFound"
LATE = "False/AlreadyClosed"

TABLE = [
    # finding, place, request, earlier status → what is shown
    (DENIED, NOWHERE, None, NEW, Want("pending", NO, None, UNSEEN, stalled=STUCK)),
    (DENIED, NOWHERE, "stop", NEW, Want("pending", NO, NO, UNSEEN, stalled=STUCK)),
    (DENIED, NOWHERE, "stop", SEEN, Want("running", NO, NO, stalled=STUCK)),
    (DENIED, NOWHERE, "stop", TERMINATING, Want("terminating", NO, NO, stalled=STUCK)),
    (DENIED, NOWHERE, None, REFUSED_BEFORE, Want("pending", NO, None, UNSEEN, stalled=STUCK)),
    (
        MISMATCH,
        HERE,
        "stop",
        NEW,
        Want(
            "pending",
            "False/OrganizationMismatch",
            "False/OrganizationMismatch",
            UNSEEN,
            stalled="True/OrganizationMismatch",
        ),
    ),
    (
        AWAY,
        NOWHERE,
        None,
        NEW,
        Want("pending", "Unknown/TemporalUnavailable", None, UNSEEN, "True/TemporalUnavailable"),
    ),
    (
        AWAY,
        NOWHERE,
        "stop",
        NEW,
        Want(
            "pending", "Unknown/TemporalUnavailable", "Unknown/TemporalUnavailable", UNSEEN, "True/TemporalUnavailable"
        ),
    ),
    (
        AWAY,
        HERE,
        "stop",
        ASKED,
        Want("running", terminated="Unknown/TemporalUnavailable", reconciling="True/TemporalUnavailable"),
    ),
    (
        AWAY,
        HERE,
        "stop",
        TERMINATING,
        Want("terminating", terminated="Unknown/TemporalUnavailable", reconciling="True/TemporalUnavailable"),
    ),
    (
        REFUSED,
        HERE,
        "stop",
        ASKED,
        Want("running", terminated="Unknown/TerminationFailed", reconciling="True/TerminationFailed"),
    ),
    (MISSING, HERE, None, NEW, Want("pending", finished=UNSEEN, stalled=LOST)),
    (MISSING, HERE, "stop", NEW, Want("pending", terminated="False/ExecutionNotFound", finished=UNSEEN, stalled=LOST)),
    (MISSING, HERE, "stop", SEEN, Want("running", terminated="False/ExecutionNotFound", stalled=LOST)),
    (MISSING, NOWHERE, None, NEW, Want("pending", None, finished=UNSEEN, stalled=LOST)),
    (OPEN, HERE, None, NEW, Want("running")),
    (OPEN, HERE, None, SEEN, Want("running")),
    (OPEN, HERE, None, REFUSED_BEFORE, Want("running")),
    (OPEN, HERE, None, ASKED, Want("running")),  # withdrawn
    (OPEN, HERE, None, TERMINATING, Want("running")),  # withdrawn in its grace period
    (OPEN, HERE, "stop", NEW, Want("running", terminated="False/Pending", reconciling="True/Pending")),
    (OPEN, HERE, "stop", REFUSED_BEFORE, Want("running", terminated="False/Pending", reconciling="True/Pending")),
    (PAUSED, HERE, None, SEEN, Want("paused")),
    (PAUSED, HERE, "stop", SEEN, Want("paused", terminated="False/Pending", reconciling="True/Pending")),
    (GRACE, HERE, "stop", ASKED, Want("terminating", terminated="False/GracePeriod", reconciling="True/GracePeriod")),
    (
        OURS,
        HERE,
        "stop",
        ASKED,
        Want("cancelled", terminated="True/Terminated", finished="True/Terminated", outcome="Terminated"),
    ),
    (
        OURS,
        HERE,
        None,
        SEEN,  # withdrawn after the act, before its record
        Want("cancelled", terminated="True/Terminated", finished="True/Terminated", outcome="Terminated"),
    ),
    (
        OURS,
        HERE,
        "stop",
        TERMINATING,
        Want("cancelled", terminated="True/Terminated", finished="True/Terminated", outcome="Terminated"),
    ),
    (TERMINATED, HERE, None, SEEN, Want("cancelled", finished="True/Terminated")),
    (
        TERMINATED,
        HERE,
        "stop",
        ASKED,
        Want("cancelled", terminated=LATE, finished="True/Terminated", outcome="AlreadyClosed"),
    ),
    (CANCELED, HERE, None, SEEN, Want("cancelled", finished="True/Canceled")),
    (
        CANCELED,
        HERE,
        "stop",
        ASKED,
        Want("cancelled", terminated=LATE, finished="True/Canceled", outcome="AlreadyClosed"),
    ),
    (
        CANCELED,
        HERE,
        "stop",
        TERMINATING,
        Want("cancelled", terminated="True/Cancelled", finished="True/Canceled", outcome="Cancelled"),
    ),
    (COMPLETED, HERE, None, SEEN, Want("completed", finished="True/Completed")),
    (
        COMPLETED,
        HERE,
        "stop",
        TERMINATING,
        Want("completed", terminated=LATE, finished="True/Completed", outcome="AlreadyClosed"),
    ),
    (elsewhere(RunStatus.FAILED), HERE, None, SEEN, Want("failed", finished="True/Failed")),
    (elsewhere(RunStatus.TIMED_OUT), HERE, None, SEEN, Want("failed", finished="True/TimedOut")),
    (RECORDED, NOWHERE, None, DONE, Want("completed", finished="True/Completed")),
    (
        RECORDED,
        NOWHERE,
        "stop",
        DONE,
        Want("completed", terminated=LATE, finished="True/Completed", outcome="AlreadyClosed"),
    ),
    (
        RECORDED,
        NOWHERE,
        "stop",
        DONE_BY_US,
        Want("cancelled", terminated="True/Terminated", finished="True/Terminated", outcome="Terminated"),
    ),
    (
        RECORDED,
        NOWHERE,
        None,
        DONE_BY_US,  # `git revert` after the act
        Want("cancelled", terminated="True/Terminated", finished="True/Terminated", outcome="Terminated"),
    ),
    (
        RECORDED,
        NOWHERE,
        None,
        DONE_LATE,
        Want("completed", terminated=LATE, finished="True/Completed", outcome="AlreadyClosed"),
    ),
]


@pytest.mark.parametrize(("finding", "place", "reason", "earlier", "want"), TABLE)
def test_a_finding_yields_its_phase_and_conditions(
    finding: Finding, place: ResolvedTarget | None, reason: str | None, earlier: ExecutionStatus, want: Want
) -> None:
    status = render(execution(reason, generation=3, status=earlier), finding, place, NOW)
    assert shown(status) == want
    assert {status.observed_generation, *(each.observed_generation for each in status.conditions)} == {3}


@pytest.mark.parametrize(("finding", "place", "reason", "earlier", "want"), TABLE)
def test_the_same_finding_again_writes_nothing(
    finding: Finding, place: ResolvedTarget | None, reason: str | None, earlier: ExecutionStatus, want: Want
) -> None:
    once = render(execution(reason, status=earlier), finding, place, THEN)
    again = render(execution(reason, status=once), finding, place, NOW)
    assert merge_patch(once.wire(), again.wire()) == {}
    assert shown(again) == want


@pytest.mark.parametrize(("finding", "place", "reason", "earlier", "want"), TABLE)
def test_a_written_status_reads_back_the_same(
    finding: Finding, place: ResolvedTarget | None, reason: str | None, earlier: ExecutionStatus, want: Want
) -> None:
    status = render(execution(reason, status=earlier), finding, place, THEN)
    assert shown(ExecutionStatus.model_validate(status.wire())) == want


# --- the five answers of the REST contract (design §1)

REST = [
    pytest.param(OURS, HERE, ASKED, "True/Terminated", Phase.CANCELLED, id="200"),
    pytest.param(MISSING, HERE, NEW, "False/ExecutionNotFound", Phase.PENDING, id="404 never seen"),
    pytest.param(MISSING, HERE, SEEN, "False/ExecutionNotFound", Phase.RUNNING, id="404 seen before"),
    *(
        pytest.param(Denied(reason, "no"), NOWHERE, SEEN, f"False/{reason}", Phase.RUNNING, id=f"403 {reason}")
        for reason in (
            Reason.NAMESPACE_NOT_MAPPED,
            Reason.NAMESPACE_CONFLICT,
            Reason.ORGANIZATION_MISMATCH,
            Reason.ORGANIZATION_NOT_READY,
        )
    ),
    pytest.param(COMPLETED, HERE, ASKED, "False/AlreadyClosed", Phase.COMPLETED, id="400 completed"),
    pytest.param(elsewhere(RunStatus.FAILED), HERE, ASKED, "False/AlreadyClosed", Phase.FAILED, id="400 failed"),
    pytest.param(TERMINATED, HERE, ASKED, "False/AlreadyClosed", Phase.CANCELLED, id="400 cancelled"),
    pytest.param(AWAY, HERE, SEEN, "Unknown/TemporalUnavailable", Phase.RUNNING, id="500 no answer"),
    pytest.param(REFUSED, HERE, TERMINATING, "Unknown/TerminationFailed", Phase.TERMINATING, id="500 refused"),
]


@pytest.mark.parametrize(("finding", "place", "earlier", "answer", "phase"), REST)
def test_the_answers_of_the_rest_contract(
    finding: Finding, place: ResolvedTarget | None, earlier: ExecutionStatus, answer: str, phase: Phase
) -> None:
    status = render(execution("stop", status=earlier), finding, place, NOW)
    assert (shown(status).terminated, status.phase) == (answer, phase)


# --- facts


def test_an_open_run_is_pinned_with_its_target() -> None:
    status = after((OPEN, None))
    assert status.model_dump(include={"workflow_id", "run_id", "first_run_id", "started_at"}) == {
        "workflow_id": "wf",
        "run_id": "r1",
        "first_run_id": "r0",
        "started_at": "2025-12-31T00:00:00.000000001Z",
    }
    assert (status.organization, status.temporal_namespace) == ("acme", "production")
    assert pinned_run(status) == RUN


def test_a_given_proof_is_recorded_and_stays_when_none_is_required() -> None:
    proof = OwnershipProof(search_attribute="Owner", value="acme")
    status = render(execution(), OPEN, replace(HERE, ownership=proof), THEN)
    assert status.observed_ownership == proof
    assert ExecutionStatus.model_validate(status.wire()) == status
    assert after((PAUSED, None), (COMPLETED, None), status=status).observed_ownership == proof


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING])
def test_a_required_proof_is_not_recorded_unless_it_was_given(finding: Finding) -> None:
    asking = replace(HERE, ownership=OwnershipProof(search_attribute="Owner", value="acme"))
    assert render(execution("stop", status=SEEN), finding, asking, NOW).observed_ownership is None


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING])
def test_a_finding_without_a_run_pins_nothing(finding: Finding) -> None:
    status = render(execution("stop"), finding, HERE, NOW)
    assert pinned_run(status) is None
    assert (status.organization, status.temporal_namespace) == (None, None)


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING])
def test_a_finding_without_a_run_keeps_the_pin(finding: Finding) -> None:
    assert pinned_run(after((finding, "stop"), status=SEEN)) == RUN


def test_a_pinned_run_without_a_first_run_id_is_its_own_first_run() -> None:
    assert pinned_run(ExecutionStatus(workflow_id="wf", run_id="r1")) == Run("wf", "r1", "r1")
    assert pinned_run(ExecutionStatus(workflow_id="wf")) is None


def test_times_keep_their_nine_digits() -> None:
    status = after((OURS, "stop"))
    assert (status.terminated_at, status.closed_at) == (CLOSE, CLOSE)


@pytest.mark.parametrize("finding", [COMPLETED, CANCELED, elsewhere(RunStatus.FAILED)])
def test_only_a_terminated_run_has_terminated_at(finding: Closed) -> None:
    assert after((finding, "stop")).terminated_at is None


def test_a_run_terminated_by_others_has_terminated_at() -> None:
    assert after((TERMINATED, None)).terminated_at == CLOSE


def test_terminated_at_and_the_outcome_are_set_once() -> None:
    later = Closed(RUN, CloseEvent(RunStatus.TERMINATED, "2030-01-01T00:00:00Z", "other", "other", "uid-1"))
    status = after((later, "changed"), status=DONE_BY_US)
    assert (status.terminated_at, status.termination) == (CLOSE, DONE_BY_US.termination)


def test_children_left_running_are_counted_and_the_count_stays() -> None:
    counted = after((Closed(RUN, OURS.closing, abandoned=("a", "b")), "stop"))
    assert counted.abandoned_children == 2
    assert after((Closed(RUN, OURS.closing, abandoned=()), "stop"), status=counted).abandoned_children == 2
    assert after((Closed(RUN, OURS.closing, abandoned=()), "stop")).abandoned_children is None
