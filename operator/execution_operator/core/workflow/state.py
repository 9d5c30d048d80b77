"""What an Execution's own fields say: asked, answered, pinned, closed."""

from execution_operator.api import ConditionStatus, DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.workflow.runs import Run


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


def current(execution: Execution) -> bool:
    """Whether the status is of the spec as it is."""
    return execution.status.observed_generation == execution.metadata.generation


def never_seen(execution: Execution) -> bool:
    """Whether it waits for a first look, and nobody waits for its answer."""
    return pinned(execution.status) is None and not unanswered(execution)


def wants_attention(execution: Execution) -> bool:
    """Whether the status is behind: never seen, changed since, broken off, or decided on what may be otherwise now.

    One that is denied wants none until its Organization changes, which is for the review to say.
    """
    status = execution.status
    behind = status.run_id is None or not current(execution)
    stalled = status.condition(Type.STALLED) is not None and not denied(status)
    undone = status.condition(Type.RECONCILING) is not None or stalled
    return behind or (undone and not closed(status)) or (deleting(execution) and not closed(status))


def denied(status: ExecutionStatus) -> bool:
    """Whether the status says that the Execution is not authorized."""
    authorized = status.condition(Type.AUTHORIZED)
    return authorized is not None and authorized.status is ConditionStatus.FALSE


def sought(execution: Execution) -> bool:
    """Whether this very generation of the object was looked for in Temporal, and not found.

    A deletion that waits all the same is held by what else runs: that is looked at again and again.
    """
    stalled = execution.status.condition(Type.STALLED)
    missing = stalled is not None and stalled.reason == Reason.EXECUTION_NOT_FOUND
    return missing and current(execution) and not deleting(execution)
