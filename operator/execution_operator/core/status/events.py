"""What a change of status tells people: one Event and one log line for each outcome, none for noise."""

from dataclasses import dataclass
from enum import StrEnum

from execution_operator.api import Condition, ConditionStatus, Execution, ExecutionStatus
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.workflow.state import deleting


@dataclass(frozen=True)
class EventRecord:
    """One thing to tell. `warning`: somebody should look at it."""

    reason: str
    message: str
    warning: bool


QUIET = (Reason.PENDING,)
"""Reasons that are steps on the way, not outcomes."""

GOOD = (Reason.TERMINATED, Reason.CANCELLED, Reason.GRACE_PERIOD)
"""Reasons that nobody need be warned of."""


def events_to_record(
    old: ExecutionStatus, new: ExecutionStatus, *, abandoned: tuple[str, ...] = ()
) -> list[EventRecord]:
    """Compare two statuses of an Execution and return what to tell, in order."""
    before, after = old.condition(Type.TERMINATED), new.condition(Type.TERMINATED)
    told: list[EventRecord] = []
    if after is None and before is not None:
        told.append(
            EventRecord(Reason.WITHDRAWN, "spec.terminate was removed before it was carried out", warning=False)
        )
    elif after is not None and _changed(before, after) and after.reason not in QUIET:
        told.append(EventRecord(after.reason, _with_request(after, new), warning=after.reason not in GOOD))
    if after is None and (stalled := new.condition(Type.STALLED)) and _changed(old.condition(Type.STALLED), stalled):
        told.append(EventRecord(stalled.reason, stalled.message, warning=True))
    if abandoned:
        names = ", ".join(abandoned)
        told.append(
            EventRecord(Reason.CHILDREN_ABANDONED, f"left running by their parent close policy: {names}", warning=True)
        )
    return told


def _changed(before: Condition | None, after: Condition) -> bool:
    return before is None or (before.status, before.reason) != (after.status, after.reason)


def _with_request(condition: Condition, status: ExecutionStatus) -> str:
    """Return the condition's message, and who asked for what."""
    if status.termination is None or condition.status is ConditionStatus.TRUE:
        return condition.message
    by = f" by {status.termination.requested_by}" if status.termination.requested_by else ""
    return f"{condition.message} (requested{by}: {status.termination.reason})"


class Outcome(StrEnum):
    """What a telling means for the request: the answers of the REST contract, and what is none."""

    TERMINATED = "terminated"
    ALREADY_CLOSED = "already_closed"
    NOT_FOUND = "not_found"
    DENIED = "denied"
    FAILING = "failing"
    STEP = "step"
    """Neither an answer nor an obstacle: a grace period begins, a request is withdrawn, children are left running."""

    UNASKED = "unasked"
    """Nothing was asked for: the Execution itself needs a human."""


_OUTCOMES = {
    Reason.TERMINATED: Outcome.TERMINATED,
    Reason.CANCELLED: Outcome.TERMINATED,
    Reason.ALREADY_CLOSED: Outcome.ALREADY_CLOSED,
    Reason.EXECUTION_NOT_FOUND: Outcome.NOT_FOUND,
    Reason.TEMPORAL_UNAVAILABLE: Outcome.FAILING,
    Reason.TERMINATION_FAILED: Outcome.FAILING,
    Reason.GRACE_PERIOD: Outcome.STEP,
    Reason.WITHDRAWN: Outcome.STEP,
    Reason.CHILDREN_ABANDONED: Outcome.STEP,
}


def outcome_of(execution: Execution, reason: str) -> Outcome:
    """Return what it means for an Execution to be told this."""
    outcome = _OUTCOMES.get(Reason(reason), Outcome.DENIED)
    asked = execution.spec.terminate is not None or deleting(execution) or outcome is Outcome.STEP
    return outcome if asked else Outcome.UNASKED
