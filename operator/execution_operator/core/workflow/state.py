"""Predicates on an Execution's own fields: is a termination requested, answered, pinned, closed?"""

from execution_operator.api import ConditionStatus, DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.workflow.runs import Run


def is_answered(status: ExecutionStatus) -> bool:
    """Return whether the request has its final outcome."""
    return status.termination is not None and status.termination.outcome is not None


def is_unanswered(execution: Execution) -> bool:
    """Return whether a termination is requested and not settled: by the spec, or by a deletion that terminates."""
    asked = execution.spec.terminate is not None and not is_answered(execution.status)
    return asked or (is_deleting(execution) and not is_closed(execution.status))


def is_deleting(execution: Execution) -> bool:
    """Return whether the Execution is being deleted with deletionPolicy Terminate."""
    marked = execution.metadata.deletion_timestamp is not None
    return marked and execution.spec.deletion_policy is DeletionPolicy.TERMINATE


def is_closed(status: ExecutionStatus) -> bool:
    """Return whether the status shows a final phase."""
    return status.phase is not None and status.phase.closed


def pinned_run(status: ExecutionStatus) -> Run | None:
    """Return the run that the status pins; None where it pins none."""
    if status.workflow_id is None or status.run_id is None:
        return None
    return Run(status.workflow_id, status.run_id, status.first_run_id or status.run_id, status.started_at)


def is_current(execution: Execution) -> bool:
    """Return whether the status was written for the present generation of the spec."""
    return execution.status.observed_generation == execution.metadata.generation


def is_unresolved(execution: Execution) -> bool:
    """Return whether no run is pinned yet and no termination is requested."""
    return pinned_run(execution.status) is None and not is_unanswered(execution)


def needs_reconcile(execution: Execution) -> bool:
    """Return whether the status is behind the spec or the workflow.

    That is so where no run is pinned, the spec changed since, a reconcile was interrupted, or the Execution is stalled
    on something that may have been mended. A denied Execution waits for its Organization: AuthorizationDrift finds it.
    """
    status = execution.status
    behind = status.run_id is None or not is_current(execution)
    stalled = status.condition(Type.STALLED) is not None and not is_denied(status)
    undone = status.condition(Type.RECONCILING) is not None or stalled
    return behind or (undone and not is_closed(status)) or (is_deleting(execution) and not is_closed(status))


def is_denied(status: ExecutionStatus) -> bool:
    """Return whether the condition Authorized is False."""
    authorized = status.condition(Type.AUTHORIZED)
    return authorized is not None and authorized.status is ConditionStatus.FALSE


def is_known_missing(execution: Execution) -> bool:
    """Return whether Temporal had no such workflow when the present generation of the spec was reconciled.

    A deletion does not count: it may wait for another run of the chain, and is reconciled at an interval.
    """
    stalled = execution.status.condition(Type.STALLED)
    missing = stalled is not None and stalled.reason == Reason.EXECUTION_NOT_FOUND
    return missing and is_current(execution) and not is_deleting(execution)
