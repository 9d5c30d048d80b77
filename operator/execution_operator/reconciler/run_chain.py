"""Follow a run along its close events, and terminate the one that is open. Observed facts only, nothing recorded."""

from collections.abc import Callable
from dataclasses import replace

from execution_operator.core.authorization.authorize import Failing
from execution_operator.core.errors import TemporalError
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.findings import Closed, NotFound, Open
from execution_operator.core.workflow.runs import CloseEvent, Run, TerminationRequest, Unclosed
from execution_operator.reconciler.ports import Runs

MAX_MISSES = 3
"""Misses after which a chain that continues faster than our calls is terminated as a whole."""


async def follow(runs: Runs, run: Run, seen: CloseEvent | Unclosed | None = None) -> Open | Closed | NotFound:
    """Walk along the close events to the run that is open, or that closed for good; `seen` is what the first showed.

    Continue-as-new, retry and cron are told by them; a reset run and a reused ID are not.
    """
    while True:
        match seen or await runs.close_event(run):
            case Unclosed.OPEN:
                return Open(run)
            case Unclosed.MISSING:
                return await vanished(runs, run)
            case CloseEvent(successor="") as closing:
                return Closed(run, closing)
            case CloseEvent(successor=successor):
                run, seen = replace(run, run_id=successor), None


async def terminate(
    runs: Runs, run: Run, order: TerminationRequest, still_granted: Callable[[], None], called: Callable[[], None]
) -> Closed | NotFound | Failing:
    """Terminate and observe; go on with the next run if the chain went on meanwhile.

    `still_granted` is asked at the last moment before each call, and raises if the answer is no; `called` is told
    after each.
    """
    for miss in range(MAX_MISSES + 1):
        still_granted()
        found = await terminate_once(runs, run, order, called, chain=miss == MAX_MISSES)
        if not isinstance(found, Open):
            return found
        if found.run == run:
            break
        run = found.run
    return Failing(Reason.TERMINATION_FAILED, f"run {run.run_id} is still open after its termination")


async def terminate_once(
    runs: Runs, run: Run, order: TerminationRequest, called: Callable[[], None], *, chain: bool
) -> Open | Closed | NotFound:
    """Terminate once, and observe whatever the answer was; of a run that we ended also the children that outlive it.

    With `chain` the server is told the chain instead of the run. Only ever right after `follow` has shown that the
    open run descends from the pinned one: by itself a chain includes reset runs.
    """
    failure: TemporalError | None = None
    try:
        await runs.terminate(run, order, chain=chain)
    except TemporalError as error:
        failure = error
    called()
    seen, abandoned = (None, None) if failure else await runs.close_event_and_children(run)
    found = await follow(runs, run, seen)
    if isinstance(found, Open) and failure is not None:
        raise failure
    if not isinstance(found, Closed) or found.closing.execution_uid != order.execution_uid:
        return found
    if failure or found.run != run:
        abandoned = await runs.abandoned_children(found.run)
    return replace(found, abandoned=abandoned)


async def vanished(runs: Runs, run: Run) -> NotFound:
    """Say that Temporal knows a run no more that it knew once, and whether something of its chain still runs."""
    gone = f"Temporal no longer knows run {run.run_id} of workflow {run.workflow_id}: deleted or expired"
    now = await runs.describe(run.workflow_id, "")
    if now is None or not now.status.open or now.run.first_run_id != run.first_run_id:
        return NotFound(gone)
    open_run_id = now.run.run_id
    return NotFound(
        f"{gone}. Run {open_run_id} of its chain is open, but what lies between can't be read: name that run",
        open_run_id,
    )
