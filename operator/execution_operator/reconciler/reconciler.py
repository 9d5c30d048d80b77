"""The act: authorize, resolve and pin, terminate, observe, record.

No answer of a call is proof of anything: after every termination the run itself is observed, and only its close
event is believed. So a crash, a lost reply or a second operator at any point leads to the same record.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from execution_operator.api import ExecutionStatus
from execution_operator.core.authorization.authorize import Denied, Failing, Grant, ResolvedTarget, Undecided, authorize
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.authorization.ownership import missing_proof
from execution_operator.core.errors import Conflict, ObjectNotFound, TemporalError
from execution_operator.core.reasons import Reason
from execution_operator.core.status.events import EventRecord, events_to_record
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.finalizer import FINALIZER, needless, unheld, waiting
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.grace_period import anew, deadline_of, recorded, rfc3339, start
from execution_operator.core.workflow.requests import candidates, order, wanted
from execution_operator.core.workflow.runs import Run, RunDescription
from execution_operator.core.workflow.state import answered, closed, pinned, unanswered
from execution_operator.reconciler.ports import Records, Runs
from execution_operator.reconciler.result import ReconcileRequest, Result, settlement
from execution_operator.reconciler.run_chain import follow, terminate
from execution_operator.telemetry.metrics import answered as measure
from execution_operator.telemetry.stage_timer import Stage, StageTimer

CONFLICTS = 10
"""How often a pass starts over because the object changed under it, before it backs off."""

UNDECIDED_LOOK = 0.2
"""Seconds until an Execution is looked at again whose Organization's Temporal is just being asked."""


class Reconciler:
    """Brings one Execution at a time to where its spec, its Organization and its workflow want it.

    Args:
        mapping: Who owns which namespace; complete before the first call.
        runs: Gives the runs of the Temporal namespace that a grant names.
        records: The API server.
        suspect: Told the Organization whose Temporal gave no answer, or refused one.
        now: The API server's clock, for transition times and grace periods only.
    """

    def __init__(
        self,
        mapping: Mapping,
        runs: Callable[[Grant], Runs],
        records: Records,
        suspect: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self.mapping = mapping
        self.runs = runs
        self.records = records
        self.suspect = suspect
        self.now = now

    async def reconcile(self, work: ReconcileRequest) -> Result:
        """Run passes until one goes through on an object that did not change under it."""
        for _ in range(CONFLICTS):
            act = _Act(self, work)
            try:
                return await act.settle()
            except Conflict:
                work = await self._reread(act, work)
        return Result(work.execution, failing=True)

    async def _reread(self, act: "_Act", work: ReconcileRequest) -> ReconcileRequest:
        again = work.again or bool(act.untold)
        try:
            return replace(work, execution=await self.records.read(work.execution), again=again)
        except ObjectNotFound:
            return replace(work, execution=act.execution, gone=True, again=again)


class _Act:
    """One pass over one Execution."""

    def __init__(self, world: Reconciler, work: ReconcileRequest) -> None:
        self.world = world
        self.execution = work.execution
        self.gone = work.gone
        self.again = work.again
        self.timer = StageTimer(work.since, time.monotonic)
        self.untold: list[EventRecord] = []

    async def settle(self) -> Result:
        """Observe, decide, act, observe, record."""
        if self.gone and self.execution.spec.terminate is None:
            return Result(self.execution)  # a deletion that was let go is withdrawn
        self.timer.passed(Stage.QUEUED)
        await self._hold()
        finding, place = await self._find()
        if isinstance(finding, Undecided):
            return Result(self.execution, after=UNDECIDED_LOOK)
        self.timer.passed(Stage.OBSERVED)
        await self._release(finding)
        await self._record(finding, place)
        for announcement in self.untold:
            await self.world.records.record_event(self.execution, announcement)
        return settlement(self.execution, finding, self.world.now(), gone=self.gone)

    async def _find(self) -> tuple[Finding | Undecided, ResolvedTarget | None]:
        if closed(self.execution.status):
            return Recorded(), None
        grant = authorize(self.execution, self.world.mapping)
        if not isinstance(grant, Grant):
            return waiting(self.execution, grant), None
        try:
            return await self._pursue(grant, self.world.runs(grant)), grant.target
        except TemporalError as error:
            return self._failing(error, grant), grant.target

    def _failing(self, error: TemporalError, grant: Grant) -> Failing:
        self.world.suspect(grant.target.organization)
        reason = Reason.TERMINATION_FAILED if error.refused else Reason.TEMPORAL_UNAVAILABLE
        return Failing(reason, error.message)

    async def _pursue(self, grant: Grant, runs: Runs) -> Finding:
        """Find the run, make sure that it is the organization's, and do what is asked of it."""
        seen = await self._resolve(grant, runs)
        if seen is None:
            sought = wanted(self.execution, grant.organization)
            return NotFound(f"Temporal namespace {grant.target.temporal_namespace} has no {sought}")
        run = seen.run if isinstance(seen, RunDescription) else seen
        if denied := await self._disowned(run, grant, runs):
            return denied
        if not unanswered(self.execution):
            return await self._look(seen, runs)
        if isinstance(seen, RunDescription):
            found = Open(run) if seen.status.open else await follow(runs, run)
            if not isinstance(found, Open):
                return found
            run = found.run
            await self._record(found, grant.target)
            self.timer.passed(Stage.PINNED)
            if self.gone:
                return NotFound("the Execution was deleted before its run was pinned: nothing is done")
        return await self._end(run, grant, runs)

    async def _resolve(self, grant: Grant, runs: Runs) -> RunDescription | Run | None:
        """Return the pinned run, or the first that the organization's templates find."""
        if (run := pinned(self.execution.status)) or self.gone:
            return run  # what is gone can't be pinned any more, and the ID may mean another run by now
        for workflow_id in candidates(self.execution, grant.organization):
            if described := await runs.describe(workflow_id, self.execution.spec.run_id or ""):
                return described
        return None

    async def _disowned(self, run: Run, grant: Grant, runs: Runs) -> Denied | None:
        """Hold the start event of the chain's first run, or what was recorded of it, against what is asked."""
        proof = grant.target.ownership
        if proof is None:
            return None
        shown = await runs.owner(run, proof.search_attribute)
        why = missing_proof(proof, shown, self.execution.status.observed_ownership)
        if why is None:
            return None
        organization = grant.target.organization
        message = f"workflow {run.workflow_id} is not organization {organization}'s: {why}"
        return Denied(Reason.ORGANIZATION_MISMATCH, message)

    async def _look(self, seen: RunDescription | Run, runs: Runs) -> Finding:
        """Observe only. Whoever knows the run looks because it seems to have closed: its close event tells at once."""
        if isinstance(seen, RunDescription):
            return Open(seen.run, paused=seen.paused) if seen.status.open else await follow(runs, seen.run)
        found = await follow(runs, seen)
        if not isinstance(found, Open):
            return found
        described = await runs.describe(found.run.workflow_id, found.run.run_id)
        if described is None or not described.status.open:
            return await follow(runs, found.run)  # it has closed in between
        return replace(found, paused=described.paused)

    async def _end(self, run: Run, grant: Grant, runs: Runs) -> Finding:
        """Terminate the run: at once, or after its grace period."""

        def still_granted() -> None:
            if not grant.holds(authorize(self.execution, self.world.mapping)):
                raise Conflict  # the Organization has changed while the run was looked up: decide anew

        now = self.world.now()
        deadline = deadline_of(self.execution, now)
        if deadline is not None and deadline <= now and await self._unasked(run, runs, start(self.execution, deadline)):
            deadline = anew(self.execution, now)
        if deadline is None or deadline <= now:
            called = partial(self.timer.passed, Stage.TERMINATED)
            return await terminate(runs, run, order(self.execution), still_granted, called)
        graceful = Open(run, deadline=rfc3339(deadline))
        if recorded(self.execution) != graceful.deadline:  # told once: each try that fails would tell it again
            await self._record(graceful, grant.target)
        still_granted()
        await runs.request_cancel(run, order(self.execution))
        found = await follow(runs, run)
        return replace(graceful, run=found.run) if isinstance(found, Open) else found

    async def _unasked(self, run: Run, runs: Runs, since: datetime) -> bool:
        """Tell whether a run that was there when its grace period began was never asked to cancel itself.

        An outage or a crash can take that long. A later run of a chain had its chance in the earlier one.
        """
        seen = await runs.describe(run.workflow_id, run.run_id)
        if seen is None or not seen.status.open or seen.cancel_requested or seen.run.started_at is None:
            return False
        return datetime.fromisoformat(seen.run.started_at) <= since

    async def _record(self, finding: Finding, place: ResolvedTarget | None) -> None:
        """Write the status that the finding calls for, then tell what has changed."""
        old = self.execution.status
        status = render(self.execution, finding, place, rfc3339(self.world.now()))
        if not self.gone:
            try:
                self.execution = await self.world.records.write_status(self.execution, status)
            except ObjectNotFound:
                self.gone = True
        if self.gone and (pinned(old) or closed(status)):  # what was never stored pins nothing
            self.execution = self.execution.model_copy(update={"status": status})
        abandoned = finding.abandoned or () if isinstance(finding, Closed) else ()
        told = ExecutionStatus() if self.again else old  # the Event's name makes one of two tellings
        self.untold += events_to_record(told, status, abandoned=abandoned)
        self.again = False
        if answered(status) and not answered(old) and not self.gone:
            self.timer.passed(Stage.RECORDED)
            measure(self.execution, self.timer)

    async def _hold(self) -> None:
        """Put the finalizer on an Execution whose deletion is to terminate the workflow, and on no other."""
        if unheld(self.execution):
            await self._write_finalizers([*self.execution.metadata.finalizers, FINALIZER])

    async def _release(self, finding: Finding) -> None:
        """Take the finalizer off when it holds nothing any more, before the record that ends all looks."""
        if needless(self.execution, finding):
            names = self.execution.metadata.finalizers
            await self._write_finalizers([name for name in names if name != FINALIZER])

    async def _write_finalizers(self, finalizers: list[str]) -> None:
        if self.gone:
            return
        try:
            self.execution = await self.world.records.write_finalizers(self.execution, finalizers)
        except ObjectNotFound:
            self.gone = True
