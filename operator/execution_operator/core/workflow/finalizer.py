"""The finalizer of Executions whose deletion is to terminate the workflow, and of no others."""

from dataclasses import replace

from execution_operator.api import DeletionPolicy, Execution
from execution_operator.core.authorization.authorize import Denied, Failing, Undecided
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Recorded
from execution_operator.core.workflow.state import closed, deleting, pinned

FINALIZER = "control-plane.kubiya.ai/terminate"
"""Holds an Execution with deletionPolicy Terminate until its workflow is closed."""


def unheld(execution: Execution) -> bool:
    """Whether the finalizer is to be put on."""
    meta = execution.metadata
    wanted = execution.spec.deletion_policy is DeletionPolicy.TERMINATE and not closed(execution.status)
    return wanted and not meta.deletion_timestamp and FINALIZER not in meta.finalizers


def needless(execution: Execution, finding: Finding) -> bool:
    """Whether the finalizer is there and holds nothing any more."""
    orphan = execution.spec.deletion_policy is DeletionPolicy.ORPHAN
    ended = isinstance(finding, Closed | Recorded)
    nothing = (isinstance(finding, NotFound) and not finding.open_run_id) or (
        isinstance(finding, Denied) and not pinned(execution.status)
    )
    held = FINALIZER in execution.metadata.finalizers
    return held and (orphan or ended or (deleting(execution) and nothing))


def waiting(execution: Execution, decision: Denied | Failing | Undecided) -> Denied | Failing | Undecided:
    """Say of a deletion that it waits, and how not to."""
    if isinstance(decision, Denied) and deleting(execution) and pinned(execution.status):
        return replace(decision, message=f"{decision.message}; the deletion waits, unless deletionPolicy is Orphan")
    return decision
