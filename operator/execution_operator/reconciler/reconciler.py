"""The reconciler: brings one Execution at a time to what its spec, its Organization and its workflow call for.

Six stages, a module each, in this order: authorize, resolve, pin, terminate, observe, record.

No answer of a call counts as proof. After each termination the run is observed, and only its close event is believed.
So a crash, a lost reply or a second operator at any point leads to the same record.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from execution_operator.api import Execution
from execution_operator.core.authorization import authorize as checks
from execution_operator.core.authorization.authorize import Failing, Grant, Undecided
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import Conflict, ObjectNotFound, TemporalError
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.findings import Closed, NotFound, Open
from execution_operator.core.workflow.grace_period import recorded_deadline, rfc3339
from execution_operator.core.workflow.requests import termination_request
from execution_operator.core.workflow.runs import Run
from execution_operator.core.workflow.state import is_unanswered
from execution_operator.reconciler.authorize import authorize
from execution_operator.reconciler.observe import observe, observe_untouched, still_open
from execution_operator.reconciler.pin import pin
from execution_operator.reconciler.ports import Clock, Records, Runs
from execution_operator.reconciler.record import Recorder, record
from execution_operator.reconciler.resolve import Resolved, resolve
from execution_operator.reconciler.result import ReconcileRequest, Requeue, Result
from execution_operator.reconciler.run_chain import MAX_MISSES, follow
from execution_operator.reconciler.terminate import grace_deadline, terminate
from execution_operator.telemetry.stage_timer import Stage, StageTimer

MAX_CONFLICTS = 10
"""Times in a row that a reconcile starts again because the object changed under it, before it backs off."""

UNDECIDED_INTERVAL_SECONDS = 0.2
"""Interval at which an Execution is reconciled while the first probe of its Organization's Temporal is under way."""


class Reconciler:
    """Reconciles Executions.

    Args:
        mapping: The Organizations. The index is complete before the first reconcile.
        runs: Returns the runs of the Temporal namespace that a grant names.
        records: The API server.
        suspect: Called with the name of an Organization whose Temporal gave no answer, or refused a call.
        now: The API server's clock, for transition times and grace periods only.
    """

    def __init__(
        self,
        mapping: Mapping,
        runs: Callable[[Grant], Runs],
        records: Records,
        suspect: Callable[[str], None],
        now: Clock,
    ) -> None:
        self._mapping = mapping
        self._runs = runs
        self._records = records
        self._suspect = suspect
        self._now = now

    async def reconcile(self, request: ReconcileRequest) -> Result:
        """Reconcile one Execution, again at once where it changed meanwhile.

        Raises:
            RecordError: The API server did not give or take the object.
        """
        for _ in range(MAX_CONFLICTS):
            timer = StageTimer(request.enqueued_at, time.monotonic)
            recorder = Recorder(self._records, request, timer, self._now)
            try:
                return await self._reconcile_once(recorder)
            except Conflict:
                request = await self._reread(recorder, request)
        return Result(request.execution, Requeue.WITH_BACKOFF)

    async def _reread(self, recorder: Recorder, request: ReconcileRequest) -> ReconcileRequest:
        """Return the request with the object as it is now. Events of the last try are created again by the next one."""
        interrupted = request.interrupted or bool(recorder.pending_events)
        try:
            return replace(request, execution=await self._records.read(request.execution), interrupted=interrupted)
        except ObjectNotFound:
            return replace(request, execution=recorder.execution, deleted=True, interrupted=interrupted)

    async def _reconcile_once(self, recorder: Recorder) -> Result:
        """Run the six stages; where Temporal fails, record that."""
        if recorder.deleted and recorder.execution.spec.terminate is None:
            return Result(recorder.execution)  # nothing is requested any more
        recorder.timer.end(Stage.QUEUED)
        await recorder.add_finalizer()
        try:
            return await self._run_stages(recorder)
        except TemporalError as error:
            return await record(recorder, self._failing(recorder, error))

    async def _run_stages(self, recorder: Recorder) -> Result:
        """Authorize, resolve, pin, terminate, observe, record. A stage that settles the matter leads to record.

        Raises:
            TemporalError: Temporal gave no answer, or refused a call.
        """
        grant = authorize(recorder.execution, self._mapping)
        if isinstance(grant, Undecided):
            return Result(recorder.execution, requeue_after=UNDECIDED_INTERVAL_SECONDS)
        if not isinstance(grant, Grant):
            return await record(recorder, grant)
        recorder.target = grant.target
        runs = self._runs(grant)
        resolved = await resolve(recorder.execution, grant, runs, deleted=recorder.deleted)
        if not isinstance(resolved, Resolved):
            return await record(recorder, resolved)
        if not is_unanswered(recorder.execution):
            return await record(recorder, await observe_untouched(runs, resolved))
        run = await pin(recorder, resolved, runs)
        if not isinstance(run, Run):
            return await record(recorder, run)
        if deadline := await grace_deadline(recorder.execution, run, runs, self._now()):
            return await record(recorder, await self._request_cancellation(recorder, grant, runs, run, deadline))
        for miss in range(MAX_MISSES + 1):
            self.confirm(recorder.execution, grant)
            call = await terminate(runs, run, termination_request(recorder.execution), whole_chain=miss == MAX_MISSES)
            recorder.timer.end(Stage.TERMINATED)
            finding = await observe(runs, call)
            if not isinstance(finding, Open) or finding.run == run:
                break
            run = finding.run  # the chain went on before the call came
        return await record(recorder, still_open(finding) if isinstance(finding, Open) else finding)

    def confirm(self, execution: Execution, grant: Grant) -> None:
        """Check the grant again, right before a call that changes the workflow.

        Raises:
            Conflict: The Organization changed while the run was looked up. Everything is decided anew.
        """
        if not grant.holds(checks.authorize(execution, self._mapping)):
            raise Conflict

    async def _request_cancellation(
        self, recorder: Recorder, grant: Grant, runs: Runs, run: Run, deadline: datetime
    ) -> Open | Closed | NotFound:
        """Ask the workflow to cancel itself, and return how it stands. The deadline is in the status before that."""
        waiting = Open(run, deadline=rfc3339(deadline))
        already_written = recorded_deadline(recorder.execution) == waiting.deadline
        if not already_written:  # a second write would create its Event again
            await recorder.write_status(waiting)
        self.confirm(recorder.execution, grant)
        await runs.request_cancel(run, termination_request(recorder.execution))
        finding = await follow(runs, run)
        return replace(waiting, run=finding.run) if isinstance(finding, Open) else finding

    def _failing(self, recorder: Recorder, error: TemporalError) -> Failing:
        """Return the finding for a call that failed, and have the Organization's Temporal probed."""
        if recorder.target is not None:
            self._suspect(recorder.target.organization)
        reason = Reason.TERMINATION_FAILED if error.refused else Reason.TEMPORAL_UNAVAILABLE
        return Failing(reason, error.message)
