"""Old status + what was found + now → new status. The one place that writes phases and conditions."""

from dataclasses import dataclass
from typing import Any

from execution_operator.api import (
    Condition,
    ConditionStatus,
    DeletionPolicy,
    Execution,
    ExecutionStatus,
    Phase,
    Termination,
)
from execution_operator.core.authorize import Denied, Failing
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.requests import requested_at, requested_by
from execution_operator.core.runs import Closing, Run, RunStatus

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True)
class NotFound:
    """Temporal knows no such run."""

    message: str


@dataclass(frozen=True)
class Open:
    """The run is open. `deadline` (RFC 3339): cancellation is requested, termination follows then."""

    run: Run
    paused: bool = False
    deadline: str | None = None


@dataclass(frozen=True)
class Closed:
    """The run is closed, and how. `abandoned` names the child workflows that outlive it (None: not looked at)."""

    run: Run
    closing: Closing
    abandoned: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Recorded:
    """The status shows the closing already, and for good: Temporal need not be asked again."""


Finding = Denied | Failing | NotFound | Open | Closed | Recorded


@dataclass(frozen=True)
class Place:
    """Where the Execution was resolved: recorded once, and held against later mappings."""

    organization: str
    temporal_namespace: str


PHASES = {
    RunStatus.COMPLETED: Phase.COMPLETED,
    RunStatus.FAILED: Phase.FAILED,
    RunStatus.TIMED_OUT: Phase.FAILED,
    RunStatus.CANCELED: Phase.CANCELLED,
    RunStatus.TERMINATED: Phase.CANCELLED,
}
"""The phase of each way to close. Continued-as-new is none: the Execution goes on in the next run."""


def answered(status: ExecutionStatus) -> bool:
    """Whether a request was answered for good."""
    return status.termination is not None and status.termination.outcome is not None


def unanswered(execution: Execution) -> bool:
    """Whether a request waits for its answer: one of the spec, or that of a deletion under deletionPolicy Terminate."""
    asked = execution.spec.terminate is not None and not answered(execution.status)
    return asked or (deleting(execution) and not closed(execution.status))


def deleting(execution: Execution) -> bool:
    """Whether the Execution is being deleted, and its workflow is to end with it."""
    marked = execution.metadata.deletion_timestamp is not None
    return marked and execution.spec.deletion_policy is DeletionPolicy.TERMINATE


def closed(status: ExecutionStatus) -> bool:
    """Whether the status shows a final phase."""
    return status.phase is not None and status.phase.closed


def pinned(status: ExecutionStatus) -> Run | None:
    """Return the run that the status pins, if it pins one."""
    if status.workflow_id is None or status.run_id is None:
        return None
    return Run(status.workflow_id, status.run_id, status.first_run_id or status.run_id, status.started_at)


def wants_attention(execution: Execution) -> bool:
    """Whether the status is behind: the workflow was never seen, the object has changed since, or a pass broke off."""
    status = execution.status
    behind = status.run_id is None or status.observed_generation != execution.metadata.generation
    return behind or status.condition(Type.RECONCILING) is not None


def parked(execution: Execution) -> bool:
    """Whether the status already says that a human must act, for this very generation of the object."""
    stalled = execution.status.condition(Type.STALLED)
    return stalled is not None and execution.status.observed_generation == execution.metadata.generation


def merge_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON merge patch (RFC 7386) that turns the old object into the new one; empty if they are equal."""
    patch: dict[str, Any] = dict.fromkeys(old.keys() - new.keys())
    for key, value in new.items():
        before = old.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            if inner := merge_patch(before, value):
                patch[key] = inner
        elif before != value:
            patch[key] = value
    return patch


def render(execution: Execution, finding: Finding, place: Place | None, now: str) -> ExecutionStatus:
    """Compute the status that the finding calls for; `now` (RFC 3339) stamps transitions only."""
    facts = _facts(execution, finding)
    if place is not None and isinstance(finding, Open | Closed):
        facts |= {"organization": place.organization, "temporal_namespace": place.temporal_namespace}
    return execution.status.model_copy(
        update={
            **facts,
            "observed_generation": execution.metadata.generation,
            "termination": _termination(execution, finding),
            "conditions": _conditions(execution, finding, place, now),
        }
    )


def _facts(execution: Execution, finding: Finding) -> dict[str, Any]:
    """Return the fields that state what Temporal shows."""
    match finding:
        case Open(run, paused, deadline):
            settled = Phase.PAUSED if paused else Phase.RUNNING
            return {**_pin(run), "phase": Phase.TERMINATING if deadline else settled}
        case Closed(run, closing, abandoned):
            terminated_at = closing.at if closing.status is RunStatus.TERMINATED else None
            return {
                **_pin(run),
                "phase": PHASES[closing.status],
                "closed_at": closing.at,
                "terminated_at": execution.status.terminated_at or terminated_at,
                "abandoned_children": len(abandoned) if abandoned else execution.status.abandoned_children,
            }
        case Denied() | Failing() | NotFound() | Recorded():
            return {"phase": execution.status.phase or Phase.PENDING}


def _pin(run: Run) -> dict[str, Any]:
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "first_run_id": run.first_run_id,
        "started_at": run.started_at,
    }


def outcome(execution: Execution, closed: Closed) -> Reason:
    """Tell a closing by us from one elsewhere."""
    if closed.closing.execution_uid == execution.metadata.uid:
        return Reason.TERMINATED
    termination = execution.status.termination
    if closed.closing.status is RunStatus.CANCELED and termination is not None and termination.deadline is not None:
        return Reason.CANCELLED
    return Reason.ALREADY_CLOSED


def _termination(execution: Execution, finding: Finding) -> Termination | None:
    """Return the record of the request: kept once answered, gone when withdrawn, Temporal's word where it is ours."""
    old, terminate = execution.status.termination, execution.spec.terminate
    if answered(execution.status):
        return old
    if isinstance(finding, Closed) and outcome(execution, finding) is Reason.TERMINATED:
        reason, requester = finding.closing.reason, finding.closing.requested_by or None
    elif terminate is not None:
        reason, requester = terminate.reason, requested_by(execution)
    else:
        return None
    return Termination(
        reason=reason,
        requested_by=requester,
        requested_at=requested_at(execution) or (old.requested_at if old else None),
        deadline=_deadline(execution, finding),
        outcome=_answer(execution, finding),
    )


def _deadline(execution: Execution, finding: Finding) -> str | None:
    """Return the end of the grace period: as found; else as recorded, unless the spec has changed since."""
    if isinstance(finding, Open):
        return finding.deadline
    old, changed = execution.status.termination, execution.status.observed_generation != execution.metadata.generation
    return old.deadline if old is not None and not (changed and isinstance(finding, Denied | Failing)) else None


def _answer(execution: Execution, finding: Finding) -> Reason | None:
    """Return what settles the request for good."""
    match finding:
        case Closed():
            return outcome(execution, finding)
        case Recorded():
            return Reason.ALREADY_CLOSED
        case Denied() | Failing() | NotFound() | Open():
            return None


Cell = tuple[ConditionStatus, str, str]
"""Status, reason and message of one condition."""


def _conditions(execution: Execution, finding: Finding, place: Place | None, now: str) -> list[Condition]:
    """Return all conditions, in the order of their types; absent ones are left out."""
    cells: dict[Type, Cell | None] = {
        Type.AUTHORIZED: _authorized(execution, finding, place),
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
    return Condition(
        type=of,
        status=status,
        observed_generation=execution.metadata.generation,
        last_transition_time=old.last_transition_time if old is not None and old.status == status else now,
        reason=reason,
        message=message,
    )


_RETRIED = (Reason.TEMPORAL_UNAVAILABLE, Reason.TERMINATION_FAILED)


def _authorized(execution: Execution, finding: Finding, place: Place | None) -> Cell | None:
    namespace = execution.metadata.namespace
    match finding:
        case Denied(reason, message):
            return FALSE, reason, message
        case Recorded():
            return _kept(execution, Type.AUTHORIZED)
        case _ if place is not None:
            return TRUE, Reason.ORGANIZATION_MAPPED, f"namespace {namespace} belongs to {place.organization}"
        case Failing(reason, message):
            return UNKNOWN, reason, message
        case _:
            return None


def _terminated(execution: Execution, finding: Finding) -> Cell | None:
    """Return how the request stands; None where there is none, or it was withdrawn."""
    if answered(execution.status):
        return _kept(execution, Type.TERMINATED)
    if _termination(execution, finding) is None:
        return None
    match finding:
        case Denied(reason, message):
            return FALSE, reason, message
        case NotFound(message):
            return FALSE, Reason.EXECUTION_NOT_FOUND, message
        case Failing(reason, message):
            return UNKNOWN, reason, f"{message}; retrying"
        case Open(deadline=str() as deadline):
            return FALSE, Reason.GRACE_PERIOD, f"cancellation requested; terminated at {deadline} unless closed by then"
        case Open():
            return FALSE, Reason.PENDING, "the run is pinned; termination follows"
        case Closed(closing=closing):
            how = outcome(execution, finding)
            return (FALSE if how is Reason.ALREADY_CLOSED else TRUE), how, describe(closing)
        case Recorded():
            return FALSE, Reason.ALREADY_CLOSED, _message(execution, Type.FINISHED)


def describe(closing: Closing) -> str:
    """Say for people how and when a run closed."""
    if closing.status is RunStatus.TERMINATED:
        request = f", requested by {closing.requested_by}" if closing.requested_by else ""
        return f"terminated at {closing.at} by {closing.identity}{request}: {closing.reason}"
    return f"the workflow closed as {closing.status} at {closing.at}"


def _finished(execution: Execution, finding: Finding) -> Cell:
    match finding:
        case Closed(closing=closing):
            return TRUE, closing.status, describe(closing)
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
        case Failing(reason, message):
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
        case NotFound(message):
            return TRUE, Reason.EXECUTION_NOT_FOUND, message
        case _:
            return None
