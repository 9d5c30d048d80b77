"""The record of a request: who asked for what, and how it was answered for good."""

from execution_operator.api import Execution, Termination
from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.requests import requested_at, requested_by
from execution_operator.core.workflow.runs import CloseEvent, RunStatus
from execution_operator.core.workflow.state import answered, current


def outcome(execution: Execution, closed: Closed) -> Reason:
    """Tell a closing by us from one elsewhere."""
    if closed.closing.execution_uid == execution.metadata.uid:
        return Reason.TERMINATED
    termination = execution.status.termination
    if closed.closing.status is RunStatus.CANCELED and termination is not None and termination.deadline is not None:
        return Reason.CANCELLED
    return Reason.ALREADY_CLOSED


def termination(execution: Execution, finding: Finding) -> Termination | None:
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
    old, changed = execution.status.termination, not current(execution)
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


def describe_close(closing: CloseEvent) -> str:
    """Say for people how and when a run closed."""
    if closing.status is RunStatus.TERMINATED:
        request = f", requested by {closing.requested_by}" if closing.requested_by else ""
        return f"terminated at {closing.at} by {clipped(closing.identity)}{request}: {clipped(closing.reason)}"
    return f"the workflow closed as {closing.status} at {closing.at}"


CLIP = 500
"""Characters of somebody else's words that a message quotes: Temporal takes megabytes."""


def clipped(words: str) -> str:
    """Return the words, or as many as fit."""
    return words if len(words) <= CLIP else f"{words[:CLIP]}…"
