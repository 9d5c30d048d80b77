"""Stage 2, resolve: find the run of the Execution, and check that it belongs to the Organization."""

from dataclasses import dataclass

from execution_operator.api import Execution
from execution_operator.core.authorization.authorize import Denied, Grant
from execution_operator.core.authorization.ownership import missing_proof
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.findings import NotFound
from execution_operator.core.workflow.requests import candidate_workflow_ids, searched_workflow
from execution_operator.core.workflow.runs import Run, RunDescription
from execution_operator.core.workflow.state import pinned_run
from execution_operator.reconciler.ports import Runs


@dataclass(frozen=True)
class Resolved:
    """The run of an Execution. Its ownership is proven, where the Organization demands a proof.

    Attributes:
        run: The pinned run, or the run that Describe found.
        description: The answer of Describe; None where the status pins the run already, so that Temporal was not asked.
    """

    run: Run
    description: RunDescription | None = None


async def resolve(execution: Execution, grant: Grant, runs: Runs, *, deleted: bool) -> Resolved | NotFound | Denied:
    """Return the run of the Execution.

    The pinned run comes first. Without a pin, the Organization's workflow ID templates are tried in order, and the
    first workflow that Describe finds is taken. Nothing is looked up for an Execution that is `deleted`: its run can't
    be pinned any more, and the workflow ID may be used by another workflow by now.

    Raises:
        TemporalError: Temporal gave no answer.
    """
    run, description = pinned_run(execution.status), None
    if run is None and not deleted:
        description = await _first_found(execution, grant, runs)
        run = description.run if description else None
    if run is None:
        target = searched_workflow(execution, grant.organization)
        return NotFound(f"Temporal namespace {grant.temporal_namespace} has no {target}")
    return await _not_owned(execution, run, grant, runs) or Resolved(run, description)


async def _first_found(execution: Execution, grant: Grant, runs: Runs) -> RunDescription | None:
    for workflow_id in candidate_workflow_ids(execution, grant.organization):
        if description := await runs.describe(workflow_id, execution.spec.run_id or ""):
            return description
    return None


async def _not_owned(execution: Execution, run: Run, grant: Grant, runs: Runs) -> Denied | None:
    """Return why the run is not the Organization's: the start event of its first run does not show the proof."""
    proof = grant.target.ownership
    if proof is None:
        return None
    shown = await runs.ownership_value(run, proof.search_attribute)
    why = missing_proof(proof, shown, execution.status.observed_ownership)
    if why is None:
        return None
    organization = grant.target.organization
    return Denied(
        Reason.ORGANIZATION_MISMATCH, f"workflow {run.workflow_id} is not organization {organization}'s: {why}"
    )
