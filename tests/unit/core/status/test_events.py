"""The Events that a change of status calls for, and the outcomes in metrics."""

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.authorization.authorize import Denied, Failing, ResolvedTarget
from execution_operator.core.reasons import Reason
from execution_operator.core.status.events import EventRecord, Outcome, events_to_record, outcome_of
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open
from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus
from tests.support.builders import execution

AT = "2026-01-01T00:00:00Z"
RUN = Run("wf", "r1", "r1")
DENIED = Denied(Reason.NAMESPACE_NOT_MAPPED, "no")
AWAY, OPEN, GRACE = Failing(Reason.TEMPORAL_UNAVAILABLE, "away"), Open(RUN), Open(RUN, deadline=AT)
OURS = Closed(RUN, CloseEvent(RunStatus.TERMINATED, AT, "stop", "us", "uid-1"))
CANCELED = Closed(RUN, CloseEvent(RunStatus.CANCELED, AT))
COMPLETED = Closed(RUN, CloseEvent(RunStatus.COMPLETED, AT))


def after(*findings: tuple[Finding, str | None], by: str | None = None) -> ExecutionStatus:
    status, stamp = ExecutionStatus(), {REQUESTER_ANNOTATION: by} if by else {}
    for finding, reason in findings:
        place = None if finding is DENIED else ResolvedTarget("acme", "uid-acme", "acme")
        status = render(execution(reason, status=status, annotations=stamp), finding, place, AT)
    return status


NEW = ExecutionStatus()
SEEN, ASKED, WAITING = after((OPEN, None)), after((OPEN, "stop")), after((OPEN, "stop"), (GRACE, "stop"))

TABLE = [
    pytest.param(NEW, SEEN, [], id="first seen"),
    pytest.param(SEEN, ASKED, [], id="pinned: a step, no outcome"),
    pytest.param(ASKED, ASKED, [], id="unchanged"),
    pytest.param(ASKED, after((OURS, "stop")), [("Terminated", False)], id="terminated"),
    pytest.param(SEEN, WAITING, [("GracePeriod", False)], id="grace period"),
    pytest.param(WAITING, after((GRACE, "stop"), (CANCELED, "stop")), [("Cancelled", False)], id="cancelled in time"),
    pytest.param(ASKED, after((COMPLETED, "stop")), [("AlreadyClosed", True)], id="too late"),
    pytest.param(ASKED, after((AWAY, "stop")), [("TemporalUnavailable", True)], id="away"),
    pytest.param(after((AWAY, "stop")), after((AWAY, "stop")), [], id="still away"),
    pytest.param(after((AWAY, "stop")), ASKED, [], id="back"),
    pytest.param(NEW, after((DENIED, "stop")), [("NamespaceNotMapped", True)], id="denied, asked: once"),
    pytest.param(NEW, after((DENIED, None)), [("NamespaceNotMapped", True)], id="denied, nothing asked"),
    pytest.param(after((DENIED, None)), after((DENIED, None)), [], id="still denied"),
    pytest.param(NEW, after((NotFound("none"), None)), [("ExecutionNotFound", True)], id="not found"),
    pytest.param(ASKED, SEEN, [("Withdrawn", False)], id="withdrawn"),
    pytest.param(
        after((DENIED, "stop")), after((DENIED, None)), [("Withdrawn", False)], id="withdrawn while denied: said once"
    ),
    pytest.param(SEEN, after((COMPLETED, None)), [], id="closed elsewhere, nothing asked"),
]


@pytest.mark.parametrize(("old", "new", "told"), TABLE)
def test_a_change_of_status_calls_for_events(
    old: ExecutionStatus, new: ExecutionStatus, told: list[tuple[str, bool]]
) -> None:
    assert [(each.reason, each.warning) for each in events_to_record(old, new)] == told


def test_children_left_running_are_named() -> None:
    told = events_to_record(SEEN, after((OURS, "stop")), abandoned=("a", "b"))
    assert told[1] == EventRecord(
        "ChildrenAbandoned", "child workflows are left running by their parent close policy: a, b", warning=True
    )


MESSAGES = [
    pytest.param(after((DENIED, "stop")), "no (requested: stop)", id="unstamped"),
    pytest.param(after((DENIED, "stop"), by="jane"), "no (requested by jane: stop)", id="stamped"),
    pytest.param(after((OURS, "stop")), f"terminated at {AT} by us: stop", id="Temporal's own words say it"),
]


@pytest.mark.parametrize(("new", "message"), MESSAGES)
def test_the_message_names_the_request_unless_temporals_own_message_does(new: ExecutionStatus, message: str) -> None:
    assert events_to_record(NEW, new)[0].message == message


def test_the_message_of_a_condition_without_a_request_is_unchanged() -> None:
    new = after((DENIED, "stop")).model_copy(update={"termination": None})
    assert events_to_record(NEW, new)[0].message == "no"


ASKING, IDLE = execution("stop"), execution()
DELETED = execution(deleted=True, policy=DeletionPolicy.TERMINATE)
OUTCOMES = [
    (ASKING, Reason.TERMINATED, Outcome.TERMINATED),
    (ASKING, Reason.CANCELLED, Outcome.TERMINATED),
    (ASKING, Reason.ALREADY_CLOSED, Outcome.ALREADY_CLOSED),
    (ASKING, Reason.EXECUTION_NOT_FOUND, Outcome.EXECUTION_NOT_FOUND),
    (ASKING, Reason.NAMESPACE_NOT_MAPPED, Outcome.DENIED),
    (ASKING, Reason.TEMPORAL_UNAVAILABLE, Outcome.RETRYING),
    (DELETED, Reason.ORGANIZATION_MISMATCH, Outcome.DENIED),
    (IDLE, Reason.NAMESPACE_NOT_MAPPED, Outcome.NOT_REQUESTED),
    (IDLE, Reason.EXECUTION_NOT_FOUND, Outcome.NOT_REQUESTED),
    (IDLE, Reason.WITHDRAWN, Outcome.PROGRESSING),
]


@pytest.mark.parametrize(("one", "reason", "outcome"), OUTCOMES)
def test_what_a_telling_means(one: Execution, reason: Reason, outcome: Outcome) -> None:
    assert outcome_of(one, reason) is outcome
