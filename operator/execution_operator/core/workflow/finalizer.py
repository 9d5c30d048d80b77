"""The finalizer. Only Executions with deletionPolicy Terminate have it."""

from dataclasses import replace

from execution_operator.api import DeletionPolicy, Execution
from execution_operator.core.authorization.authorize import Denied, Failing, Undecided
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Recorded
from execution_operator.core.workflow.state import is_closed, is_deleting, pinned_run

FINALIZER = "control-plane.kubiya.ai/terminate"
"""The finalizer's name. It holds back the deletion of the Execution until its workflow is closed."""


def needs_finalizer(execution: Execution) -> bool:
    """Return whether the finalizer is missing and needed."""
    meta = execution.metadata
    wanted = execution.spec.deletion_policy is DeletionPolicy.TERMINATE and not is_closed(execution.status)
    return wanted and not meta.deletion_timestamp and FINALIZER not in meta.finalizers


def can_remove_finalizer(execution: Execution, finding: Finding) -> bool:
    """Return whether the finalizer is there and can be removed.

    It can where deletionPolicy is Orphan now, where the workflow is closed, or where the object is being deleted and no
    workflow of this Execution runs.
    """
    orphan = execution.spec.deletion_policy is DeletionPolicy.ORPHAN
    ended = isinstance(finding, Closed | Recorded)
    nothing = (isinstance(finding, NotFound) and not finding.open_run_id) or (
        isinstance(finding, Denied) and not pinned_run(execution.status)
    )
    held = FINALIZER in execution.metadata.finalizers
    return held and (orphan or ended or (is_deleting(execution) and nothing))


def explain_waiting_deletion(
    execution: Execution, decision: Denied | Failing | Undecided
) -> Denied | Failing | Undecided:
    """Return the decision; the message of a denial says that the deletion waits for it, and how to end that."""
    if isinstance(decision, Denied) and is_deleting(execution) and pinned_run(execution.status):
        return replace(
            decision,
            message=f"{decision.message}; the deletion waits until then: "
            "to delete without terminating, set deletionPolicy to Orphan",
        )
    return decision
