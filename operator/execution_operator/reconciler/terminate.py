"""Stage 4, terminate: call TerminateWorkflowExecution once; or request cancellation while a grace period lasts.

The answer of Temporal proves nothing. Stage 5 observes what happened.
"""

from dataclasses import dataclass
from datetime import datetime

from execution_operator.api import Execution
from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.grace_period import grace_period_end, grace_period_start, new_deadline
from execution_operator.core.workflow.runs import Run, TerminationRequest
from execution_operator.reconciler.ports import Runs


@dataclass(frozen=True)
class TerminateCall:
    """A call that was made, whatever its answer.

    Attributes:
        run: The run that was named in the call.
        execution_uid: The UID that the call carries, by which its close event is recognised.
        error: Why the call got no answer or was refused; None where Temporal answered OK or NOT_FOUND.
    """

    run: Run
    execution_uid: str
    error: TemporalError | None = None


async def terminate(runs: Runs, run: Run, request: TerminationRequest, *, whole_chain: bool = False) -> TerminateCall:
    """Terminate the run.

    With `whole_chain` the server is told the first run of the chain instead of the run, and ends whichever run of the
    chain is open. That is only right after `follow` has shown that the open run descends from the pinned one: by itself
    a chain includes reset runs.
    """
    try:
        await runs.terminate(run, request, chain=whole_chain)
    except TemporalError as error:
        return TerminateCall(run, request.execution_uid, error)
    return TerminateCall(run, request.execution_uid)


async def grace_deadline(execution: Execution, run: Run, runs: Runs, now: datetime) -> datetime | None:
    """Return when the grace period ends; None where the run is to be terminated now.

    A grace period that passed while the workflow was never asked to cancel itself (an outage, a crash) begins again.

    Raises:
        TemporalError: Temporal gave no answer.
    """
    deadline = grace_period_end(execution, now)
    if deadline is None or deadline > now:
        return deadline
    begins_again = await _never_cancelled(run, runs, since=grace_period_start(execution, deadline))
    return new_deadline(execution, now) if begins_again else None


async def _never_cancelled(run: Run, runs: Runs, *, since: datetime) -> bool:
    """Return whether the run was open when its grace period began, and nobody has requested its cancellation.

    A later run of a chain needs no request of its own: the earlier run had its chance.
    """
    description = await runs.describe(run.workflow_id, run.run_id)
    if description is None or not description.status.open or description.cancel_requested:
        return False
    started_at = description.run.started_at
    return started_at is not None and datetime.fromisoformat(started_at) <= since
