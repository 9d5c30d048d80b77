"""Stage 5, observe: read from Temporal how the run stands. Only an observed close event ends an Execution."""

from dataclasses import replace

from execution_operator.core.authorization.authorize import Failing
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.findings import Closed, NotFound, Open
from execution_operator.reconciler.ports import Runs
from execution_operator.reconciler.resolve import Resolved
from execution_operator.reconciler.run_chain import follow
from execution_operator.reconciler.terminate import TerminateCall


async def observe(runs: Runs, call: TerminateCall) -> Open | Closed | NotFound:
    """Return what became of the run after a call to terminate it.

    Of a run that this call ended, the children that outlive it are read too. The call may have been applied even if its
    answer was lost, so the close event decides: it is ours if its details carry the Execution's UID.

    Returns:
        Closed; or Open with the next run where the chain went on before the call; or NotFound.

    Raises:
        TemporalError: The run is still open and the call failed; or Temporal gave no answer now.
    """
    event, children = (None, None) if call.error else await runs.close_event_and_children(call.run)
    finding = await follow(runs, call.run, event)
    if isinstance(finding, Open) and call.error is not None:
        raise call.error
    if not isinstance(finding, Closed) or finding.closing.execution_uid != call.execution_uid:
        return finding
    if call.error or finding.run != call.run:
        children = await runs.abandoned_children(finding.run)
    return replace(finding, abandoned=children)


def still_open(finding: Open) -> Failing:
    """Return the failure of a termination that Temporal accepted and that did not close the run."""
    return Failing(Reason.TERMINATION_FAILED, f"run {finding.run.run_id} is still open after its termination")


async def observe_untouched(runs: Runs, resolved: Resolved) -> Open | Closed | NotFound:
    """Return how a run stands for which no termination is requested.

    A pinned run is read because it seems to have closed, so its close event is read first and Describe only if it is
    open after all.

    Raises:
        TemporalError: Temporal gave no answer.
    """
    description = resolved.description
    if description is not None and description.status.open:
        return Open(resolved.run, paused=description.paused)
    finding = await follow(runs, resolved.run)
    if description is not None or not isinstance(finding, Open):
        return finding
    description = await runs.describe(finding.run.workflow_id, finding.run.run_id)
    if description is None or not description.status.open:
        return await follow(runs, finding.run)  # it has closed in between
    return replace(finding, paused=description.paused)
