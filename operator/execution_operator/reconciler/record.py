"""Stage 6, record: write status and finalizers, then create the Events. Every write to the API server is here."""

from execution_operator.api import ExecutionStatus
from execution_operator.core.authorization.authorize import ResolvedTarget
from execution_operator.core.errors import ObjectNotFound
from execution_operator.core.status.events import EventRecord, events_to_record
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.finalizer import FINALIZER, can_remove_finalizer, needs_finalizer
from execution_operator.core.workflow.findings import Closed, Finding
from execution_operator.core.workflow.grace_period import rfc3339
from execution_operator.core.workflow.state import is_answered, is_closed, pinned_run
from execution_operator.reconciler.ports import Clock, Records
from execution_operator.reconciler.result import ReconcileRequest, Result, result_of
from execution_operator.telemetry.metrics import observe_request as measure
from execution_operator.telemetry.stage_timer import Stage, StageTimer


async def record(recorder: "Recorder", finding: Finding) -> Result:
    """Write what was found, and create the Events for what changed.

    The finalizer goes before the status: after the last status nothing brings the Execution back to the queue.

    Returns:
        When the Execution is reconciled again.

    Raises:
        RecordError: The API server did not take a write; Conflict where the Execution changed since it was read.
    """
    recorder.timer.end(Stage.OBSERVED)
    await recorder.remove_finalizer(finding)
    await recorder.write_status(finding)
    await recorder.create_events()
    return result_of(recorder.execution, finding, recorder.now(), deleted=recorder.deleted)


class Recorder:
    """The Execution as it was last read or written, and the Events that are still to be created for it.

    Args:
        records: The API server.
        request: The Execution, and what is known of it.
        timer: Measures the stages of the request.
        now: The API server's clock, for transition times.

    Attributes:
        execution: The newest known state.
        target: The Organization and the Temporal namespace that the grant names; None while there is no grant.
        deleted: The object is no longer there: nothing is written any more.
        pending_events: Events that belong to a status that is written already.
    """

    target: ResolvedTarget | None = None

    def __init__(self, records: Records, request: ReconcileRequest, timer: StageTimer, now: Clock) -> None:
        self._records = records
        self.timer = timer
        self.now = now
        self._interrupted = request.interrupted
        self.execution = request.execution
        self.deleted = request.deleted
        self.pending_events: list[EventRecord] = []

    async def add_finalizer(self) -> None:
        """Put the finalizer on an Execution whose deletion is to terminate the workflow, and on no other."""
        if needs_finalizer(self.execution):
            await self._write_finalizers([*self.execution.metadata.finalizers, FINALIZER])

    async def remove_finalizer(self, finding: Finding) -> None:
        """Take the finalizer off where nothing is left to wait for."""
        if can_remove_finalizer(self.execution, finding):
            names = self.execution.metadata.finalizers
            await self._write_finalizers([name for name in names if name != FINALIZER])

    async def write_status(self, finding: Finding) -> None:
        """Write the status that the finding calls for, in one PATCH, or nothing where it is the same."""
        old = self.execution.status
        status = render(self.execution, finding, self.target, rfc3339(self.now()))
        if not self.deleted:
            try:
                self.execution = await self._records.write_status(self.execution, status)
            except ObjectNotFound:
                self.deleted = True
        if self.deleted and (pinned_run(old) or is_closed(status)):  # a pin that was never stored pins nothing
            self.execution = self.execution.model_copy(update={"status": status})
        self._collect_events(old, status, finding)
        if is_answered(status) and not is_answered(old) and not self.deleted:
            self.timer.end(Stage.RECORDED)
            measure(self.execution, self.timer)

    async def create_events(self) -> None:
        """Create the Events. An Event's name is derived from its content, so a second creation changes nothing."""
        for event in self.pending_events:
            await self._records.record_event(self.execution, event)

    def _collect_events(self, old: ExecutionStatus, status: ExecutionStatus, finding: Finding) -> None:
        """Add the Events for the change. After an interruption, the Events of the written status are created again."""
        abandoned = finding.abandoned or () if isinstance(finding, Closed) else ()
        before = ExecutionStatus() if self._interrupted else old
        self.pending_events += events_to_record(before, status, abandoned=abandoned)
        self._interrupted = False

    async def _write_finalizers(self, finalizers: list[str]) -> None:
        if self.deleted:
            return
        try:
            self.execution = await self._records.write_finalizers(self.execution, finalizers)
        except ObjectNotFound:
            self.deleted = True
