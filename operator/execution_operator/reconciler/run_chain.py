"""The chain of runs: a run, and the runs that it continues as by continue-as-new, retry or cron."""

from dataclasses import replace

from execution_operator.core.workflow.findings import Closed, NotFound, Open
from execution_operator.core.workflow.runs import CloseEvent, Run, Unclosed
from execution_operator.reconciler.ports import Runs

MAX_MISSES = 3
"""Calls that may miss a chain that continues faster than they come. The next call names the whole chain."""


async def follow(runs: Runs, run: Run, event: CloseEvent | Unclosed | None = None) -> Open | Closed | NotFound:
    """Follow the chain by its close events, to the run that is open or that closed for good.

    A close event names the run that continues it. A reset run and a workflow that reuses the ID are named by none, so
    they are never reached.

    Args:
        runs: The runs of the Temporal namespace.
        run: Where to begin.
        event: The close event of that run, where it has just been read.

    Raises:
        TemporalError: Temporal gave no answer.
    """
    while True:
        match event or await runs.close_event(run):
            case Unclosed.OPEN:
                return Open(run)
            case Unclosed.MISSING:
                return await _missing(runs, run)
            case CloseEvent(successor="") as closed:
                return Closed(run, closed)
            case CloseEvent(successor=next_run_id):
                run, event = replace(run, run_id=next_run_id), None


async def _missing(runs: Runs, run: Run) -> NotFound:
    """Return that Temporal no longer knows a run, and whether a later run of its chain is open."""
    gone = f"Temporal no longer knows run {run.run_id} of workflow {run.workflow_id}: deleted, or past its retention"
    current = await runs.describe(run.workflow_id, "")
    if current is None or not current.status.open or current.run.first_run_id != run.first_run_id:
        return NotFound(gone)
    open_run_id = current.run.run_id
    return NotFound(
        f"{gone}. Run {open_run_id} of its chain is open, but the runs between them can't be read, so it is left "
        "alone: to terminate it, create an Execution with that runId",
        open_run_id,
    )
