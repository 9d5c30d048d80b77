"""The conditions of an Execution, one function for each type. As in kstatus, Reconciling and Stalled are exceptions."""

from typing import NamedTuple

from execution_operator.api import Condition, ConditionStatus, Execution
from execution_operator.core.authorization.authorize import Denied, Failing, ResolvedTarget
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.status.termination import describe_close, termination_outcome, termination_record
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.state import is_answered, is_unanswered

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN

MAX_MESSAGE_CHARACTERS = 4096
"""Length of a condition's message. The schema allows 32768, which nobody reads."""

RETRIED_REASONS = (Reason.TEMPORAL_UNAVAILABLE, Reason.TERMINATION_FAILED)
"""Reasons of errors that are retried. Such a condition keeps its first message, so that a retry writes nothing."""


class ConditionContent(NamedTuple):
    """What a condition says, apart from its type and its times."""

    status: ConditionStatus
    reason: str
    message: str


def conditions(execution: Execution, finding: Finding, target: ResolvedTarget | None, now: str) -> list[Condition]:
    """Return the conditions that the finding calls for, in the order of their types.

    Args:
        execution: The Execution with its old status.
        finding: What was found in this reconcile.
        target: The Organization and the Temporal namespace; None if the Execution is not authorized.
        now: The current time (RFC 3339), for conditions whose status changes.
    """
    contents: dict[Type, ConditionContent | None] = {
        Type.AUTHORIZED: _authorized(execution, finding, target),
        Type.TERMINATED: _terminated(execution, finding),
        Type.FINISHED: _finished(execution, finding),
        Type.RECONCILING: _reconciling(execution, finding),
        Type.STALLED: _stalled(finding),
    }
    return [_condition(execution, of, content, now) for of, content in contents.items() if content is not None]


def build_condition(old: Condition | None, of: Type, content: ConditionContent, generation: int, now: str) -> Condition:
    """Return a condition. The time of its last transition changes only if its status changes."""
    return Condition(
        type=of,
        status=content.status,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old is not None and old.status == content.status else now,
        reason=content.reason,
        message=content.message[:MAX_MESSAGE_CHARACTERS],
    )


def _condition(execution: Execution, of: Type, content: ConditionContent, now: str) -> Condition:
    old = execution.status.condition(of)
    if old is not None and (old.status, old.reason) == content[:2] and content.reason in RETRIED_REASONS:
        content = content._replace(message=old.message)
    return build_condition(old, of, content, execution.metadata.generation, now)


def _authorized(execution: Execution, finding: Finding, target: ResolvedTarget | None) -> ConditionContent | None:
    match finding:
        case Denied(reason, message):
            return ConditionContent(FALSE, reason, message)
        case Recorded():
            return _unchanged(execution, Type.AUTHORIZED)
        case _ if target is not None:
            message = f"namespace {execution.metadata.namespace} belongs to organization {target.organization}"
            return ConditionContent(TRUE, Reason.ORGANIZATION_MAPPED, message)
        case Failing(reason=reason, message=message):
            return ConditionContent(UNKNOWN, reason, message)
        case _:
            return None


def _terminated(execution: Execution, finding: Finding) -> ConditionContent | None:
    """Return the state of the request; None if there is none, or if it was withdrawn."""
    if is_answered(execution.status):
        return _unchanged(execution, Type.TERMINATED)
    if termination_record(execution, finding) is None:
        return None
    match finding:
        case Denied(reason, message):
            return ConditionContent(FALSE, reason, message)
        case NotFound(message=message):
            return ConditionContent(FALSE, Reason.EXECUTION_NOT_FOUND, message)
        case Failing(reason=reason, message=message):
            return ConditionContent(UNKNOWN, reason, f"{message}; retrying")
        case Open(deadline=str() as deadline):
            message = f"cancellation requested; the workflow is terminated at {deadline} unless it closes before"
            return ConditionContent(FALSE, Reason.GRACE_PERIOD, message)
        case Open():
            return ConditionContent(FALSE, Reason.PENDING, "the run is pinned; termination follows")
        case Closed(closing=closing):
            outcome = termination_outcome(execution, finding)
            status = FALSE if outcome is Reason.ALREADY_CLOSED else TRUE
            return ConditionContent(status, outcome, describe_close(closing))
        case Recorded():
            finished = execution.status.condition(Type.FINISHED)
            return ConditionContent(FALSE, Reason.ALREADY_CLOSED, finished.message if finished else "")


def _finished(execution: Execution, finding: Finding) -> ConditionContent:
    match finding:
        case Closed(closing=closing):
            return ConditionContent(TRUE, closing.status, describe_close(closing))
        case Open(run):
            return ConditionContent(FALSE, Reason.OPEN, f"run {run.run_id} is open")
        case _:
            unseen = ConditionContent(FALSE, Reason.PENDING, "the workflow has not been seen yet")
            return _unchanged(execution, Type.FINISHED) or unseen


def _reconciling(execution: Execution, finding: Finding) -> ConditionContent | None:
    match finding:
        case Failing(reason=reason, message=message):
            return ConditionContent(TRUE, reason, message)
        case Open(deadline=str()):
            return ConditionContent(TRUE, Reason.GRACE_PERIOD, "waiting for the workflow to end by itself")
        case Open() if is_unanswered(execution):
            return ConditionContent(TRUE, Reason.PENDING, "termination is under way")
        case _:
            return None


def _stalled(finding: Finding) -> ConditionContent | None:
    match finding:
        case Denied(reason, message):
            return ConditionContent(TRUE, reason, message)
        case NotFound(message=message):
            return ConditionContent(TRUE, Reason.EXECUTION_NOT_FOUND, message)
        case _:
            return None


def _unchanged(execution: Execution, of: Type) -> ConditionContent | None:
    """Return what the old condition of this type says; None if the old status has none."""
    old = execution.status.condition(of)
    return ConditionContent(old.status, old.reason, old.message) if old else None
