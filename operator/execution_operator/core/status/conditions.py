"""The conditions that a finding calls for, one function a type. kstatus polarity: what is normal is absent."""

from execution_operator.api import Condition, ConditionStatus, Execution
from execution_operator.core.authorization.authorize import Denied, Failing, ResolvedTarget
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.status.termination import describe_close, outcome, termination
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.state import answered, unanswered

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


Cell = tuple[ConditionStatus, str, str]
"""Status, reason and message of one condition."""


def conditions(execution: Execution, finding: Finding, target: ResolvedTarget | None, now: str) -> list[Condition]:
    """Return all conditions, in the order of their types; absent ones are left out."""
    cells: dict[Type, Cell | None] = {
        Type.AUTHORIZED: _authorized(execution, finding, target),
        Type.TERMINATED: _terminated(execution, finding),
        Type.FINISHED: _finished(execution, finding),
        Type.RECONCILING: _reconciling(execution, finding),
        Type.STALLED: _stalled(finding),
    }
    return [_condition(execution, of, cell, now) for of, cell in cells.items() if cell is not None]


def _condition(execution: Execution, of: Type, cell: Cell, now: str) -> Condition:
    """Return the condition; an error that goes on keeps its first message, so that retries write nothing."""
    status, reason, message = cell
    old = execution.status.condition(of)
    if old is not None and (old.status, old.reason) == (status, reason) and reason in _RETRIED:
        message = old.message
    return build_condition(old, of, (status, reason, message), execution.metadata.generation, now)


LONGEST = 4096
"""Characters of a message. The schema takes more, but nobody reads it."""


def build_condition(old: Condition | None, of: Type, cell: Cell, generation: int, now: str) -> Condition:
    """Return a condition that keeps the time of its last transition unless its status changes now."""
    status, reason, message = cell
    return Condition(
        type=of,
        status=status,
        observed_generation=generation,
        last_transition_time=old.last_transition_time if old is not None and old.status == status else now,
        reason=reason,
        message=message[:LONGEST],
    )


_RETRIED = (Reason.TEMPORAL_UNAVAILABLE, Reason.TERMINATION_FAILED)


def _authorized(execution: Execution, finding: Finding, target: ResolvedTarget | None) -> Cell | None:
    namespace = execution.metadata.namespace
    match finding:
        case Denied(reason, message):
            return FALSE, reason, message
        case Recorded():
            return _kept(execution, Type.AUTHORIZED)
        case _ if target is not None:
            return TRUE, Reason.ORGANIZATION_MAPPED, f"namespace {namespace} belongs to {target.organization}"
        case Failing(reason=reason, message=message):
            return UNKNOWN, reason, message
        case _:
            return None


def _terminated(execution: Execution, finding: Finding) -> Cell | None:
    """Return how the request stands; None where there is none, or it was withdrawn."""
    if answered(execution.status):
        return _kept(execution, Type.TERMINATED)
    if termination(execution, finding) is None:
        return None
    match finding:
        case Denied(reason, message):
            return FALSE, reason, message
        case NotFound(message=message):
            return FALSE, Reason.EXECUTION_NOT_FOUND, message
        case Failing(reason=reason, message=message):
            return UNKNOWN, reason, f"{message}; retrying"
        case Open(deadline=str() as deadline):
            return FALSE, Reason.GRACE_PERIOD, f"cancellation requested; terminated at {deadline} unless closed by then"
        case Open():
            return FALSE, Reason.PENDING, "the run is pinned; termination follows"
        case Closed(closing=closing):
            how = outcome(execution, finding)
            return (FALSE if how is Reason.ALREADY_CLOSED else TRUE), how, describe_close(closing)
        case Recorded():
            return FALSE, Reason.ALREADY_CLOSED, _message(execution, Type.FINISHED)


def _finished(execution: Execution, finding: Finding) -> Cell:
    match finding:
        case Closed(closing=closing):
            return TRUE, closing.status, describe_close(closing)
        case Open(run):
            return FALSE, Reason.OPEN, f"run {run.run_id} is open"
        case _:
            return _kept(execution, Type.FINISHED) or (FALSE, Reason.PENDING, "the workflow has not been seen yet")


def _message(execution: Execution, of: Type) -> str:
    old = execution.status.condition(of)
    return old.message if old else ""


def _kept(execution: Execution, of: Type) -> Cell | None:
    old = execution.status.condition(of)
    return (old.status, old.reason, old.message) if old else None


def _reconciling(execution: Execution, finding: Finding) -> Cell | None:
    match finding:
        case Failing(reason=reason, message=message):
            return TRUE, reason, message
        case Open(deadline=str()):
            return TRUE, Reason.GRACE_PERIOD, "waiting for the workflow to end by itself"
        case Open() if unanswered(execution):
            return TRUE, Reason.PENDING, "termination is under way"
        case _:
            return None


def _stalled(finding: Finding) -> Cell | None:
    match finding:
        case Denied(reason, message):
            return TRUE, reason, message
        case NotFound(message=message):
            return TRUE, Reason.EXECUTION_NOT_FOUND, message
        case _:
            return None
