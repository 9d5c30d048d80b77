"""Old status + finding + now → new status: every finding, with and without a request, on every earlier status."""

from dataclasses import dataclass, replace

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus, OwnershipProof, Phase
from execution_operator.core.authorize import Denied, Failing, Place
from execution_operator.core.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.patch import merge_patch
from execution_operator.core.reasons import Reason
from execution_operator.core.requests import REQUESTER_ANNOTATION
from execution_operator.core.runs import Closing, Described, Run, RunStatus
from execution_operator.core.state import closed, deleting, pinned, sought, unanswered, wants_attention
from execution_operator.core.status import render
from execution_operator.core.termination import describe
from tests.support.builders import execution

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
CLOSE = "2026-01-01T12:00:00.123456789Z"
DEADLINE = "2026-01-01T13:00:00Z"
RUN = Run("wf", "r1", "r0", "2025-12-31T00:00:00.000000001Z")
HERE = Place("acme", "uid-acme", "production")
NOWHERE = None


def elsewhere(status: RunStatus) -> Closed:
    return Closed(RUN, Closing(status, CLOSE, reason="by hand", identity="jane@ui"))


DENIED = Denied(Reason.NAMESPACE_NOT_MAPPED, "no")
MISMATCH = Denied(Reason.ORGANIZATION_MISMATCH, "not yours")
AWAY = Failing(Reason.TEMPORAL_UNAVAILABLE, "no answer")
REFUSED = Failing(Reason.TERMINATION_FAILED, "refused")
MISSING = NotFound("nothing there")
OPEN, PAUSED, GRACE = Open(RUN), Open(RUN, paused=True), Open(RUN, deadline=DEADLINE)
OURS = Closed(
    RUN, Closing(RunStatus.TERMINATED, CLOSE, "stop", "execution-operator/team-a/run", "uid-1", requested_by="jane")
)
COMPLETED, TERMINATED, CANCELED = (
    elsewhere(RunStatus.COMPLETED),
    elsewhere(RunStatus.TERMINATED),
    elsewhere(RunStatus.CANCELED),
)
RECORDED = Recorded()

NEW = ExecutionStatus()


def after(*findings: tuple[Finding, str | None], status: ExecutionStatus = NEW, now: str = THEN) -> ExecutionStatus:
    """Return the status after these findings, each with the request of its time."""
    for finding, reason in findings:
        place = NOWHERE if finding in (DENIED, RECORDED) else HERE
        status = render(execution(reason, status=status), finding, place, now)
    return status


SEEN = after((OPEN, None))
ASKED = after((OPEN, "stop"))
TERMINATING = after((OPEN, "stop"), (GRACE, "stop"))
DONE = after((COMPLETED, None))
DONE_BY_US = after((OPEN, "stop"), (OURS, "stop"))
DONE_LATE = after((COMPLETED, None), (RECORDED, "stop"))
REFUSED_BEFORE = after((DENIED, "stop"))


@dataclass(frozen=True)
class Want:
    """What the new status shows; None for a condition that is absent."""

    phase: str
    authorized: str | None = "True/OrganizationMapped"
    terminated: str | None = None
    finished: str = "False/Open"
    reconciling: str | None = None
    stalled: str | None = None
    outcome: str | None = None


def shown(status: ExecutionStatus) -> Want:
    def cell(of: str) -> str | None:
        found = status.condition(of)
        return f"{found.status}/{found.reason}" if found else None

    return Want(
        str(status.phase),
        cell("Authorized"),
        cell("Terminated"),
        cell("Finished") or "",
        cell("Reconciling"),
        cell("Stalled"),
        status.termination.outcome if status.termination else None,
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
def test_what_a_finding_shows(
    finding: Finding, place: Place | None, reason: str | None, earlier: ExecutionStatus, want: Want
) -> None:
    status = render(execution(reason, generation=3, status=earlier), finding, place, NOW)
    assert shown(status) == want
    assert {status.observed_generation, *(each.observed_generation for each in status.conditions)} == {3}


@pytest.mark.parametrize(("finding", "place", "reason", "earlier", "want"), TABLE)
def test_the_same_finding_again_writes_nothing(
    finding: Finding, place: Place | None, reason: str | None, earlier: ExecutionStatus, want: Want
) -> None:
    once = render(execution(reason, status=earlier), finding, place, THEN)
    again = render(execution(reason, status=once), finding, place, NOW)
    assert merge_patch(once.wire(), again.wire()) == {}
    assert shown(again) == want


@pytest.mark.parametrize(("finding", "place", "reason", "earlier", "want"), TABLE)
def test_what_is_written_is_read_back_the_same(
    finding: Finding, place: Place | None, reason: str | None, earlier: ExecutionStatus, want: Want
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
    finding: Finding, place: Place | None, earlier: ExecutionStatus, answer: str, phase: Phase
) -> None:
    status = render(execution("stop", status=earlier), finding, place, NOW)
    assert (shown(status).terminated, status.phase) == (answer, phase)


def test_already_closed_says_how_and_when() -> None:
    assert describe(COMPLETED.closing) == f"the workflow closed as Completed at {CLOSE}"
    assert describe(TERMINATED.closing) == f"terminated at {CLOSE} by jane@ui: by hand"
    for status in (after((COMPLETED, "stop")), after((COMPLETED, None), (RECORDED, "stop"))):
        condition = status.condition("Terminated")
        assert condition is not None
        assert condition.message == describe(COMPLETED.closing)


# --- facts


def test_an_open_run_is_pinned_with_its_place() -> None:
    status = after((OPEN, None))
    assert status.model_dump(include={"workflow_id", "run_id", "first_run_id", "started_at"}) == {
        "workflow_id": "wf",
        "run_id": "r1",
        "first_run_id": "r0",
        "started_at": "2025-12-31T00:00:00.000000001Z",
    }
    assert (status.organization, status.temporal_namespace) == ("acme", "production")
    assert pinned(status) == RUN


def test_a_proof_that_was_given_is_recorded_and_stays_while_none_is_asked_for() -> None:
    proof = OwnershipProof(search_attribute="Owner", value="acme")
    status = render(execution(), OPEN, replace(HERE, ownership=proof), THEN)
    assert status.observed_ownership == proof
    assert ExecutionStatus.model_validate(status.wire()) == status
    assert after((PAUSED, None), (COMPLETED, None), status=status).observed_ownership == proof


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING])
def test_a_proof_that_was_asked_for_and_not_given_is_not_recorded(finding: Finding) -> None:
    asking = replace(HERE, ownership=OwnershipProof(search_attribute="Owner", value="acme"))
    assert render(execution("stop", status=SEEN), finding, asking, NOW).observed_ownership is None


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING])
def test_what_found_no_run_of_ours_pins_nothing(finding: Finding) -> None:
    status = render(execution("stop"), finding, HERE, NOW)
    assert pinned(status) is None
    assert (status.organization, status.temporal_namespace) == (None, None)


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING])
def test_what_found_nothing_leaves_the_pin(finding: Finding) -> None:
    assert pinned(after((finding, "stop"), status=SEEN)) == RUN


def test_a_run_without_a_known_first_is_its_own_first() -> None:
    assert pinned(ExecutionStatus(workflow_id="wf", run_id="r1")) == Run("wf", "r1", "r1")
    assert pinned(ExecutionStatus(workflow_id="wf")) is None


def test_times_keep_their_nine_digits() -> None:
    status = after((OURS, "stop"))
    assert (status.terminated_at, status.closed_at) == (CLOSE, CLOSE)


@pytest.mark.parametrize("finding", [COMPLETED, CANCELED, elsewhere(RunStatus.FAILED)])
def test_only_a_termination_has_a_time_of_termination(finding: Closed) -> None:
    assert after((finding, "stop")).terminated_at is None


def test_a_termination_elsewhere_has_its_time_too() -> None:
    assert after((TERMINATED, None)).terminated_at == CLOSE


def test_what_is_set_once_stays() -> None:
    later = Closed(RUN, Closing(RunStatus.TERMINATED, "2030-01-01T00:00:00Z", "other", "other", "uid-1"))
    status = after((later, "changed"), status=DONE_BY_US)
    assert (status.terminated_at, status.termination) == (CLOSE, DONE_BY_US.termination)


def test_children_left_running_are_counted_and_the_count_stays() -> None:
    counted = after((Closed(RUN, OURS.closing, abandoned=("a", "b")), "stop"))
    assert counted.abandoned_children == 2
    assert after((Closed(RUN, OURS.closing, abandoned=()), "stop"), status=counted).abandoned_children == 2
    assert after((Closed(RUN, OURS.closing, abandoned=()), "stop")).abandoned_children is None


# --- the record of the request


def test_a_request_is_recorded_with_who_and_when() -> None:
    asked = execution(
        "stop",
        annotations={REQUESTER_ANNOTATION: "jane"},
        managed_fields=[{"time": THEN, "fieldsV1": {"f:spec": {"f:terminate": {}}}}],
    )
    termination = render(asked, OPEN, HERE, NOW).termination
    assert termination is not None
    assert termination.wire() == {"reason": "stop", "requestedBy": "jane", "requestedAt": THEN}


def test_an_act_of_ours_is_recorded_as_temporals_history_has_it() -> None:
    termination = after((OPEN, "stop"), (OURS, "changed meanwhile")).termination
    assert termination is not None
    assert termination.wire() == {"reason": "stop", "requestedBy": "jane", "outcome": "Terminated"}


def test_the_time_of_the_request_outlives_its_withdrawal_after_the_act() -> None:
    asked = execution("stop", managed_fields=[{"time": THEN, "fieldsV1": {"f:spec": {"f:terminate": {}}}}])
    status = render(asked, OPEN, HERE, THEN)
    termination = after((OURS, None), status=status).termination
    assert termination is not None
    assert termination.requested_at == THEN


def test_an_unstamped_requester_stays_absent() -> None:
    ours = Closed(RUN, Closing(RunStatus.TERMINATED, CLOSE, "stop", "us", "uid-1"))
    termination = after((ours, "stop")).termination
    assert termination is not None
    assert termination.requested_by is None


def test_a_withdrawn_request_leaves_no_trace() -> None:
    status = after((OPEN, None), status=TERMINATING)
    assert (status.termination, status.condition("Terminated")) == (None, None)


@pytest.mark.parametrize("finding", [DENIED, AWAY, MISSING])
def test_the_deadline_outlives_what_goes_wrong_in_the_grace_period(finding: Finding) -> None:
    termination = after((finding, "stop"), status=TERMINATING).termination
    assert termination is not None
    assert termination.deadline == DEADLINE


# --- conditions


def test_conditions_come_in_the_order_of_the_contract() -> None:
    assert [each.type for each in after((OPEN, "stop")).conditions] == [
        "Authorized",
        "Terminated",
        "Finished",
        "Reconciling",
    ]


@pytest.mark.parametrize("status", [SEEN, DONE, DONE_BY_US, DONE_LATE])
def test_in_the_normal_state_nothing_is_reconciling_or_stalled(status: ExecutionStatus) -> None:
    assert (status.condition("Reconciling"), status.condition("Stalled")) == (None, None)


@pytest.mark.parametrize("finding", [DENIED, MISMATCH, AWAY, MISSING, OPEN, GRACE, OURS])
def test_never_reconciling_and_stalled_at_once(finding: Finding) -> None:
    status = after((finding, "stop"))
    assert None in (status.condition("Reconciling"), status.condition("Stalled"))


def test_an_error_that_goes_on_keeps_its_first_message() -> None:
    first = after((AWAY, "stop"))
    again = after((Failing(Reason.TEMPORAL_UNAVAILABLE, "other words"), "stop"), status=first, now=NOW)
    assert merge_patch(first.wire(), again.wire()) == {}


def test_an_outcome_may_change_its_message() -> None:
    first = after((DENIED, "stop"))
    again = after((Denied(Reason.NAMESPACE_NOT_MAPPED, "other words"), "stop"), status=first, now=NOW)
    assert {each.message for each in again.conditions} >= {"other words"}


def test_the_transition_time_moves_with_the_status_only() -> None:
    denied = after((DENIED, "stop"))
    other = after((Denied(Reason.NAMESPACE_CONFLICT, "both"), "stop"), status=denied, now=NOW)
    granted = after((OPEN, "stop"), status=denied, now=NOW)
    times = [
        condition.last_transition_time
        for status in (other, granted)
        if (condition := status.condition("Authorized")) is not None
    ]
    assert times == [THEN, NOW]


def test_a_recording_without_a_finished_condition_has_nothing_to_quote() -> None:
    status = render(execution("stop", status=ExecutionStatus(phase=Phase.COMPLETED)), RECORDED, NOWHERE, NOW)
    condition = status.condition("Terminated")
    assert condition is not None
    assert (condition.reason, condition.message) == ("AlreadyClosed", "")
    assert shown(status).authorized is None


# --- what is asked of the object


def gone(policy: DeletionPolicy, reason: str | None = None, status: ExecutionStatus = SEEN) -> Execution:
    return execution(reason, deleted=True, policy=policy, status=status)


UNANSWERED = [
    pytest.param(execution(status=SEEN), False, id="nothing asked"),
    pytest.param(execution("stop", status=SEEN), True, id="asked"),
    pytest.param(execution("stop", status=DONE), True, id="asked late"),
    pytest.param(execution("stop", status=DONE_BY_US), False, id="answered"),
    pytest.param(execution("again", status=DONE_LATE), False, id="answered once and for all"),
    pytest.param(gone(DeletionPolicy.ORPHAN), False, id="deleted, Orphan"),
    pytest.param(gone(DeletionPolicy.ORPHAN, "stop"), True, id="deleted, Orphan, asked"),
    pytest.param(gone(DeletionPolicy.TERMINATE), True, id="deleted, Terminate"),
    pytest.param(gone(DeletionPolicy.TERMINATE, status=DONE), False, id="deleted, Terminate, closed"),
    pytest.param(execution(policy=DeletionPolicy.TERMINATE, status=SEEN), False, id="Terminate, not deleted"),
]


@pytest.mark.parametrize(("asked", "waits"), UNANSWERED)
def test_a_request_waits_until_it_is_answered_for_good(asked: Execution, *, waits: bool) -> None:
    assert unanswered(asked) is waits


def test_deleting_means_ending_the_workflow_with_it() -> None:
    assert deleting(gone(DeletionPolicy.TERMINATE))
    assert not deleting(gone(DeletionPolicy.ORPHAN))
    assert not deleting(execution(policy=DeletionPolicy.TERMINATE))


def test_a_deletion_that_terminates_is_under_way_and_then_recorded() -> None:
    going = gone(DeletionPolicy.TERMINATE)
    assert shown(render(going, OPEN, HERE, NOW)) == Want("running", reconciling="True/Pending")
    assert shown(render(going, OURS, HERE, NOW)).outcome == "Terminated"


@pytest.mark.parametrize(("status", "final"), [(NEW, False), (SEEN, False), (TERMINATING, False), (DONE, True)])
def test_closed_is_a_final_phase(status: ExecutionStatus, *, final: bool) -> None:
    assert closed(status) is final


def test_attention_is_wanted_by_what_was_never_seen_has_changed_or_broke_off() -> None:
    assert wants_attention(execution())
    assert wants_attention(execution(generation=2, status=SEEN))
    assert wants_attention(execution(status=ASKED))
    assert not wants_attention(execution(status=SEEN))


def test_sought_is_what_was_not_found_in_this_very_generation() -> None:
    missing = after((NotFound("none"), "stop"))
    assert sought(execution("stop", status=missing))
    assert not sought(execution("stop", generation=2, status=missing))
    assert not sought(execution("stop", status=REFUSED_BEFORE))
    assert not sought(execution("stop", status=ASKED))


def test_what_temporal_calls_open() -> None:
    assert [status for status in RunStatus if status.open] == [RunStatus.RUNNING, RunStatus.PAUSED]
    assert Described(RUN, RunStatus.PAUSED).paused
    assert not Described(RUN, RunStatus.RUNNING).paused
