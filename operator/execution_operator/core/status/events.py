"""The Events of an Execution: one Event and one log line for each outcome, none for a step on the way to it."""

from dataclasses import dataclass
from enum import StrEnum

from execution_operator.api import Condition, ConditionStatus, Execution, ExecutionStatus
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.workflow.state import is_deleting


@dataclass(frozen=True)
class EventRecord:
    """An Event that is to be created. With `warning`, its type is Warning."""

    reason: str
    message: str
    warning: bool


REASONS_WITHOUT_EVENT = (Reason.PENDING,)
"""Reasons that are steps on the way to an outcome."""

NORMAL_REASONS = (Reason.TERMINATED, Reason.CANCELLED, Reason.GRACE_PERIOD)
"""Reasons of Events of type Normal. All others are Warnings."""


def events_to_record(
    old: ExecutionStatus, new: ExecutionStatus, *, abandoned: tuple[str, ...] = ()
) -> list[EventRecord]:
    """Compare two statuses of an Execution and return the Events to create, in their order.

    Args:
        old: The status that was reported last.
        new: The status now.
        abandoned: Workflow IDs of the children that the terminated run left running.
    """
    events: list[EventRecord] = []
    before, after = old.condition(Type.TERMINATED), new.condition(Type.TERMINATED)
    if after is None and before is not None:
        message = "the request was withdrawn: spec.terminate was removed before the workflow was terminated"
        events.append(EventRecord(Reason.WITHDRAWN, message, warning=False))
    elif after is not None and _changed(before, after) and after.reason not in REASONS_WITHOUT_EVENT:
        events.append(EventRecord(after.reason, _with_request(after, new), warning=after.reason not in NORMAL_REASONS))
    if after is None and (stalled := new.condition(Type.STALLED)) and _changed(old.condition(Type.STALLED), stalled):
        events.append(EventRecord(stalled.reason, stalled.message, warning=True))
    if abandoned:
        message = f"child workflows are left running by their parent close policy: {', '.join(abandoned)}"
        events.append(EventRecord(Reason.CHILDREN_ABANDONED, message, warning=True))
    return events


def _changed(before: Condition | None, after: Condition) -> bool:
    return before is None or (before.status, before.reason) != (after.status, after.reason)


def _with_request(condition: Condition, status: ExecutionStatus) -> str:
    """Return the condition's message. Unless the condition is True, the request's requester and reason follow."""
    if status.termination is None or condition.status is ConditionStatus.TRUE:
        return condition.message
    requester = f" by {status.termination.requested_by}" if status.termination.requested_by else ""
    return f"{condition.message} (requested{requester}: {status.termination.reason})"


class Outcome(StrEnum):
    """The meaning of an Event for the request. The value is the label `outcome` of the metric `outcomes_total`."""

    TERMINATED = "Terminated"
    ALREADY_CLOSED = "AlreadyClosed"
    EXECUTION_NOT_FOUND = "ExecutionNotFound"
    DENIED = "Denied"
    RETRYING = "Retrying"
    PROGRESSING = "Progressing"
    """No answer yet and no obstacle: a grace period begins, a request is withdrawn, or children are left running."""

    NOT_REQUESTED = "NotRequested"
    """No termination is requested. The Execution itself needs a human."""


_OUTCOMES = {
    Reason.TERMINATED: Outcome.TERMINATED,
    Reason.CANCELLED: Outcome.TERMINATED,
    Reason.ALREADY_CLOSED: Outcome.ALREADY_CLOSED,
    Reason.EXECUTION_NOT_FOUND: Outcome.EXECUTION_NOT_FOUND,
    Reason.TEMPORAL_UNAVAILABLE: Outcome.RETRYING,
    Reason.TERMINATION_FAILED: Outcome.RETRYING,
    Reason.GRACE_PERIOD: Outcome.PROGRESSING,
    Reason.WITHDRAWN: Outcome.PROGRESSING,
    Reason.CHILDREN_ABANDONED: Outcome.PROGRESSING,
}


def outcome_of(execution: Execution, reason: str) -> Outcome:
    """Return the outcome of an Event with this reason."""
    outcome = _OUTCOMES.get(Reason(reason), Outcome.DENIED)
    requested = execution.spec.terminate is not None or is_deleting(execution) or outcome is Outcome.PROGRESSING
    return outcome if requested else Outcome.NOT_REQUESTED
