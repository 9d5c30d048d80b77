"""From an Execution to the names that Temporal knows it by."""

from execution_operator.api import Execution, Organization
from execution_operator.core.workflow.runs import TerminationRequest

REQUESTER_ANNOTATION = "control-plane.kubiya.ai/terminate-requested-by"
"""Where the API server stamps who set `spec.terminate` (deploy/kustomize: MutatingAdmissionPolicy)."""


def candidates(execution: Execution, organization: Organization) -> list[str]:
    """Return the workflow IDs to try, in order, without repetitions."""
    ids = (
        template.replace("{executionId}", execution.spec.execution_id)
        for template in organization.spec.workflow_id_templates
    )
    return list(dict.fromkeys(ids))


def requested_by(execution: Execution) -> str | None:
    """Return the user name that the API server stamped, if it does."""
    return execution.metadata.annotations.get(REQUESTER_ANNOTATION)


def requested_at(execution: Execution) -> str | None:
    """Return when `spec.terminate` was last written: the API server's time, from managedFields."""
    writers = execution.metadata.managed_fields
    times = [writer.time for writer in writers if writer.time and "f:terminate" in writer.fields_v1.spec]
    return max(times, default=None)


def order(execution: Execution) -> TerminationRequest:
    """Return the termination as it goes into Temporal's history."""
    terminate, meta = execution.spec.terminate, execution.metadata
    return TerminationRequest(
        reason=terminate.reason if terminate else f"Execution {meta.namespace}/{meta.name} was deleted",
        execution_uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        requested_by=requested_by(execution) or "",
    )


def wanted(execution: Execution, organization: Organization) -> str:
    """Say which workflow is looked for."""
    ids = " or ".join(candidates(execution, organization))
    return f"workflow {ids}" + (f" with run {run}" if (run := execution.spec.run_id) else "")
