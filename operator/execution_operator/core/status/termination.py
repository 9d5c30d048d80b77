"""The record of a request to terminate: its reason, its requester, and its outcome."""

from execution_operator.api import Execution, Termination
from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.requests import requested_at, requested_by
from execution_operator.core.workflow.runs import CloseEvent, RunStatus
from execution_operator.core.workflow.state import is_answered, is_current

MAX_QUOTE_CHARACTERS = 500
"""Length of a reason or an identity that a message quotes from Temporal, which accepts megabytes."""


def termination_outcome(execution: Execution, closed: Closed) -> Reason:
    """Return how a closed run answers the request.

    Returns:
        Terminated if the close event carries the Execution's UID; Cancelled if the workflow ended as cancelled within
        a grace period; else AlreadyClosed.
    """
    if closed.closing.execution_uid == execution.metadata.uid:
        return Reason.TERMINATED
    termination = execution.status.termination
    if closed.closing.status is RunStatus.CANCELED and termination is not None and termination.deadline is not None:
        return Reason.CANCELLED
    return Reason.ALREADY_CLOSED


def termination_record(execution: Execution, finding: Finding) -> Termination | None:
    """Return the record of the request.

    A record with an outcome never changes. If the operator terminated the run, the reason and the requester come from
    Temporal's history, else from the spec.

    Returns:
        The record; None if nothing was requested, or the request was withdrawn.
    """
    old, terminate = execution.status.termination, execution.spec.terminate
    if is_answered(execution.status):
        return old
    if isinstance(finding, Closed) and termination_outcome(execution, finding) is Reason.TERMINATED:
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
        outcome=_final_outcome(execution, finding),
    )


def _deadline(execution: Execution, finding: Finding) -> str | None:
    """Return the end of the grace period.

    An open run brings it along. With any other finding the recorded deadline stays, unless the Execution is denied or
    failing and its spec has changed since the deadline was recorded.
    """
    if isinstance(finding, Open):
        return finding.deadline
    old, changed = execution.status.termination, not is_current(execution)
    return old.deadline if old is not None and not (changed and isinstance(finding, Denied | Failing)) else None


def _final_outcome(execution: Execution, finding: Finding) -> Reason | None:
    """Return the outcome if the finding answers the request for good, else None."""
    match finding:
        case Closed():
            return termination_outcome(execution, finding)
        case Recorded():
            return Reason.ALREADY_CLOSED
        case Denied() | Failing() | NotFound() | Open():
            return None


def describe_close(closing: CloseEvent) -> str:
    """Say for people how and when a run closed."""
    if closing.status is RunStatus.TERMINATED:
        request = f", requested by {closing.requested_by}" if closing.requested_by else ""
        return f"terminated at {closing.at} by {_shortened(closing.identity)}{request}: {_shortened(closing.reason)}"
    return f"the workflow closed as {closing.status} at {closing.at}"


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_QUOTE_CHARACTERS else f"{text[:MAX_QUOTE_CHARACTERS]}…"
