"""The request in an Execution: which workflow it names, who made it and when, and what is sent to Temporal."""

from execution_operator.api import Execution, Organization
from execution_operator.core.workflow.runs import TerminationRequest

REQUESTER_ANNOTATION = "control-plane.kubiya.ai/terminate-requested-by"
"""The annotation in which a MutatingAdmissionPolicy stores the user who set `spec.terminate`."""


def candidate_workflow_ids(execution: Execution, organization: Organization) -> list[str]:
    """Return the workflow IDs that the Organization's templates make, in their order, each once."""
    ids = (
        template.replace("{executionId}", execution.spec.execution_id)
        for template in organization.spec.workflow_id_templates
    )
    return list(dict.fromkeys(ids))


def requested_by(execution: Execution) -> str | None:
    """Return the user name that the API server stamped; None where it stamps none."""
    return execution.metadata.annotations.get(REQUESTER_ANNOTATION)


def requested_at(execution: Execution) -> str | None:
    """Return the time of the last write to `spec.terminate`, from managedFields; None where they do not show it."""
    writers = execution.metadata.managed_fields
    times = [writer.time for writer in writers if writer.time and "f:terminate" in writer.fields_v1.spec]
    return max(times, default=None)


def termination_request(execution: Execution) -> TerminationRequest:
    """Return the request as it is stored in Temporal's history. A deletion has a reason of its own."""
    terminate, meta = execution.spec.terminate, execution.metadata
    return TerminationRequest(
        reason=terminate.reason if terminate else f"Execution {meta.namespace}/{meta.name} was deleted",
        execution_uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        requested_by=requested_by(execution) or "",
    )


def searched_workflow(execution: Execution, organization: Organization) -> str:
    """Return the workflow IDs and the run ID that are looked for, for people."""
    ids = " or ".join(candidate_workflow_ids(execution, organization))
    return f"workflow {ids}" + (f" with run {run}" if (run := execution.spec.run_id) else "")
