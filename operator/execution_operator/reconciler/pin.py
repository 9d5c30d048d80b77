"""Stage 3, pin: write the run into the status before anything is done to it."""

from execution_operator.core.workflow.findings import Closed, NotFound, Open
from execution_operator.core.workflow.runs import Run
from execution_operator.reconciler.ports import Runs
from execution_operator.reconciler.record import Recorder
from execution_operator.reconciler.resolve import Resolved
from execution_operator.reconciler.run_chain import follow
from execution_operator.telemetry.stage_timer import Stage


async def pin(recorder: Recorder, resolved: Resolved, runs: Runs) -> Run | Closed | NotFound:
    """Return the open run that the status pins. A run that is not pinned yet is written first.

    Returns:
        The pinned run; or Closed where the workflow has closed already, so that there is nothing to pin; or NotFound
        where the Execution was deleted before its run was pinned: an unpinned run is never terminated.

    Raises:
        TemporalError: Temporal gave no answer.
        RecordError: The API server did not take the status.
    """
    if resolved.description is None:
        return resolved.run
    found = Open(resolved.run) if resolved.description.status.open else await follow(runs, resolved.run)
    if not isinstance(found, Open):
        return found
    await recorder.write_status(found)
    recorder.timer.end(Stage.PINNED)
    if recorder.deleted:
        return NotFound("the Execution was deleted before its run was pinned: nothing is done")
    return found.run
