"""The status of an Execution, computed from the old status and a finding. No other module sets a phase."""

from typing import Any

from execution_operator.api import Execution, ExecutionStatus, Phase
from execution_operator.core.authorization.authorize import Denied, Failing, ResolvedTarget
from execution_operator.core.status.conditions import conditions
from execution_operator.core.status.termination import termination_record
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.runs import Run, RunStatus

PHASES = {
    RunStatus.COMPLETED: Phase.COMPLETED,
    RunStatus.FAILED: Phase.FAILED,
    RunStatus.TIMED_OUT: Phase.FAILED,
    RunStatus.CANCELED: Phase.CANCELLED,
    RunStatus.TERMINATED: Phase.CANCELLED,
}
"""The phase of each status of a closed run. ContinuedAsNew has none: the Execution goes on in the next run."""


def render(execution: Execution, finding: Finding, target: ResolvedTarget | None, now: str) -> ExecutionStatus:
    """Compute the status that the finding calls for. The same finding again yields the same status.

    Args:
        execution: The Execution with its old status.
        finding: What was found in this reconcile.
        target: The Organization and the Temporal namespace; None if the Execution is not authorized.
        now: The current time (RFC 3339), for conditions whose status changes.
    """
    facts = _workflow_fields(execution, finding)
    if target is not None and isinstance(finding, Open | Closed):
        facts |= _target_fields(execution, target)
    return execution.status.model_copy(
        update={
            **facts,
            "observed_generation": execution.metadata.generation,
            "termination": termination_record(execution, finding),
            "conditions": conditions(execution, finding, target, now),
        }
    )


def _workflow_fields(execution: Execution, finding: Finding) -> dict[str, Any]:
    """Return the fields that show the workflow as Temporal has it."""
    match finding:
        case Open(run, paused, deadline):
            phase = Phase.PAUSED if paused else Phase.RUNNING
            return {**_pin(run), "phase": Phase.TERMINATING if deadline else phase}
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


def _target_fields(execution: Execution, target: ResolvedTarget) -> dict[str, Any]:
    """Return the fields that record the target. A proof of ownership that was given stays when none is required."""
    return {
        "organization": target.organization,
        "organization_uid": target.organization_uid,
        "temporal_namespace": target.temporal_namespace,
        "observed_ownership": target.ownership or execution.status.observed_ownership,
    }


def _pin(run: Run) -> dict[str, Any]:
    """Return the fields that pin the run."""
    return {
        "workflow_id": run.workflow_id,
        "run_id": run.run_id,
        "first_run_id": run.first_run_id,
        "started_at": run.started_at,
    }
