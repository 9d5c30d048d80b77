"""The act: authorize, resolve and pin, terminate, observe, record. Ports here; adapters fill them.

No answer of a call is proof of anything: after every termination the run itself is observed, and only its close
event is believed. So a crash, a lost reply or a second operator at any point leads to the same record.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Protocol

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.announce import Announcement, announcements
from execution_operator.core.authorize import Denied, Failing, Grant, Undecided, authorize
from execution_operator.core.errors import Gone, Superseded, TemporalError
from execution_operator.core.mapping import Mapping
from execution_operator.core.reasons import Reason
from execution_operator.core.requests import candidates, order
from execution_operator.core.runs import Closing, Described, Order, Run, Unclosed
from execution_operator.core.status import (
    Closed,
    Finding,
    NotFound,
    Open,
    Place,
    Recorded,
    closed,
    deleting,
    pinned,
    render,
    unanswered,
)

CHASES = 3
"""Misses after which a chain that continues faster than our calls is terminated as a whole."""

CONFLICTS = 10
"""How often a pass starts over because the object changed under it, before it backs off."""

FINALIZER = "control-plane.kubiya.ai/terminate"
"""Holds an Execution with deletionPolicy Terminate until its workflow is closed."""


class Runs(Protocol):
    """The runs of one Temporal namespace. Every call has a deadline, and raises TemporalError if it settled nothing."""

    async def describe(self, workflow_id: str, run_id: str) -> Described | None:
        """Return the run (the current one if `run_id` is empty), or None if Temporal knows no such run."""

    async def owner(self, run: Run, search_attribute: str) -> str | None:
        """Return the search attribute in the start event of the chain's first run, which nothing can overwrite.

        Empty if the run was started without it; None if the history is no longer there.
        """

    async def closing(self, run: Run) -> Closing | Unclosed:
        """Return the run's close event, or why there is none."""

    async def terminate(self, run: Run, order: Order, *, chain: bool = False) -> None:
        """Ask for the termination of this run, or of whichever run of its chain is open. Proves nothing."""

    async def request_cancel(self, run: Run, order: Order) -> None:
        """Ask the workflow to cancel itself. Repeating it changes nothing."""


class Records(Protocol):
    """The Executions in the API server. Writes are guarded by resourceVersion: Superseded, Gone."""

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""

    async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Write the status in one PATCH, or nothing if it is the same."""

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers."""

    async def announce(self, execution: Execution, announcement: Announcement) -> None:
        """Tell it as an Event and in the log. Never fails."""


@dataclass(frozen=True)
class Settlement:
    """How a pass ended.

    Attributes:
        execution: The object as last written.
        failing: Try again, later each time.
        after: Seconds until the next look: None where the object is settled, WOKEN where something else will
            wake it.
    """

    execution: Execution
    failing: bool = False
    after: float | None = None


class Reconciler:
    """Brings one Execution at a time to where its spec, its Organization and its workflow want it.

    Args:
        mapping: Who owns which namespace; complete before the first call.
        runs: Gives the runs of the Temporal namespace that a grant names.
        records: The API server.
        suspect: Told the Organization whose Temporal gave no answer, or refused one.
        now: The clock, for transition times and grace periods only.
    """

    def __init__(
        self,
        mapping: Mapping,
        runs: Callable[[Grant], Runs],
        records: Records,
        suspect: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.mapping = mapping
        self.runs = runs
        self.records = records
        self.suspect = suspect
        self.now = now

    async def reconcile(self, execution: Execution, gone: bool = False) -> Settlement:  # noqa: FBT001, FBT002
        """Run passes until one goes through on an object that did not change under it.

        Args:
            execution: The newest known state.
            gone: It has been deleted since: what it asked for is done without a record.
        """
        for _ in range(CONFLICTS):
            act = _Act(self, execution, gone=gone)
            try:
                return await act.settle()
            except Superseded:
                try:
                    execution = await self.records.read(execution)
                except Gone:
                    return await _Act(self, act.execution, gone=True).settle()
        return Settlement(execution, failing=True)


class _Act:
    """One pass over one Execution. `gone`: it was deleted, and what it asked for is done without a record."""

    def __init__(self, world: Reconciler, execution: Execution, *, gone: bool = False) -> None:
        self.world = world
        self.execution = execution
        self.gone = gone
        self.not_asked = False

    async def settle(self) -> Settlement:
        """Observe, decide, act, observe, record."""
        await self._hold()
        finding, place = await self._find()
        if isinstance(finding, Undecided):
            return Settlement(self.execution, after=UNDECIDED_LOOK)
        await self._release(finding)
        await self._record(finding, place)
        return self._settlement(finding)

    async def _find(self) -> tuple[Finding | Undecided, Place | None]:
        if closed(self.execution.status):
            return Recorded(), None
        grant = authorize(self.execution, self.world.mapping)
        if not isinstance(grant, Grant):
            self.not_asked = True  # Temporal was not: the Organization is looked after by others
            return grant, None
        place = Place(grant.organization.metadata.name, grant.temporal_namespace)
        try:
            return await self._pursue(grant, self.world.runs(grant), place), place
        except TemporalError as error:
            return self._failing(error, place), place

    def _failing(self, error: TemporalError, place: Place) -> Failing:
        self.world.suspect(place.organization)
        reason = Reason.TERMINATION_FAILED if error.refused else Reason.TEMPORAL_UNAVAILABLE
        return Failing(reason, error.message)

    async def _pursue(self, grant: Grant, runs: Runs, place: Place) -> Finding:
        """Find the run, make sure that it is the organization's, and do what is asked of it."""
        seen = await self._resolve(grant, runs)
        if seen is None:
            return NotFound(f"Temporal namespace {place.temporal_namespace} has no {self._sought(grant)}")
        run = seen.run if isinstance(seen, Described) else seen
        if denied := await self._disowned(run, grant, runs):
            return denied
        if not unanswered(self.execution):
            return await self._look(seen, runs)
        if isinstance(seen, Described):
            found = Open(run) if seen.status.open else await self._follow(run, runs)
            if not isinstance(found, Open):
                return found
            run = found.run
            await self._record(found, place)
        return await self._end(run, runs, place)

    async def _resolve(self, grant: Grant, runs: Runs) -> Described | Run | None:
        """Return the pinned run, or the first that the organization's templates find."""
        if (run := pinned(self.execution.status)) or self.gone:
            return run  # what is gone can't be pinned any more, and the ID may mean another run by now
        for workflow_id in candidates(self.execution, grant.organization):
            if described := await runs.describe(workflow_id, self.execution.spec.run_id or ""):
                return described
        return None

    def _sought(self, grant: Grant) -> str:
        ids = " or ".join(candidates(self.execution, grant.organization))
        return f"workflow {ids}" + (f" with run {run}" if (run := self.execution.spec.run_id) else "")

    async def _disowned(self, run: Run, grant: Grant, runs: Runs) -> Denied | None:
        """Hold the start event of the chain's first run against the organization's ownership."""
        organization, ownership = grant.organization.metadata.name, grant.organization.spec.ownership
        if ownership is None:
            return None
        value, owner = ownership.value or organization, await runs.owner(run, ownership.search_attribute)
        expired = owner is None and pinned(self.execution.status) is not None
        if owner == value or expired:
            return None  # of an expired history the pin itself is the proof: it was made when there was one
        return Denied(
            Reason.ORGANIZATION_MISMATCH,
            f"workflow {run.workflow_id} is not organization {organization}'s: "
            f"its first run does not show search attribute {ownership.search_attribute}={value}",
        )

    async def _look(self, seen: Described | Run, runs: Runs) -> Finding:
        """Observe only."""
        described = seen if isinstance(seen, Described) else await runs.describe(seen.workflow_id, seen.run_id)
        if described is None:
            return _vanished(self.execution)
        if described.status.open:
            run = pinned(self.execution.status) or described.run
            return Open(run, paused=described.paused)
        return await self._follow(pinned(self.execution.status) or described.run, runs)

    async def _follow(self, run: Run, runs: Runs) -> Open | Closed | NotFound:
        """Walk along the close events to the run that is open, or that closed for good."""
        while True:
            closing = await runs.closing(run)
            match closing:
                case Unclosed.OPEN:
                    return Open(run)
                case Unclosed.MISSING:
                    return _vanished(self.execution)
                case Closing(successor=""):
                    return Closed(run, closing)
                case Closing(successor=successor):
                    run = replace(run, run_id=successor)

    async def _end(self, run: Run, runs: Runs, place: Place) -> Finding:
        """Terminate the run: at once, or after its grace period."""
        now = self.world.now()
        deadline = self._deadline(now)
        if deadline is None or deadline <= now:
            return await self._terminate(run, runs)
        graceful = Open(run, deadline=_rfc3339(deadline))
        await self._record(graceful, place)
        await runs.request_cancel(run, order(self.execution))
        found = await self._follow(run, runs)
        return replace(graceful, run=found.run) if isinstance(found, Open) else found

    def _deadline(self, now: datetime) -> datetime | None:
        """Return when the grace period ends: as recorded, anew if the spec has changed since."""
        terminate, status = self.execution.spec.terminate, self.execution.status
        if terminate is None or terminate.grace_period_seconds == 0:
            return None
        recorded = status.termination.deadline if status.termination else None
        if recorded and status.observed_generation == self.execution.metadata.generation:
            return datetime.fromisoformat(recorded)
        return now.replace(microsecond=0) + timedelta(seconds=terminate.grace_period_seconds + 1)

    async def _terminate(self, run: Run, runs: Runs) -> Finding:
        """Terminate and observe; go on with the next run if the chain went on meanwhile."""
        for miss in range(CHASES + 1):
            found = await self._strike(run, runs, chain=miss == CHASES)
            if not isinstance(found, Open):
                return await self._look_around(found, runs)
            run = found.run
        return Failing(Reason.TERMINATION_FAILED, f"run {run.run_id} is still open after {CHASES + 1} terminations")

    async def _strike(self, run: Run, runs: Runs, *, chain: bool) -> Open | Closed | NotFound:
        """Terminate once, and observe whatever the answer was."""
        failure: TemporalError | None = None
        try:
            await runs.terminate(run, order(self.execution), chain=chain)
        except TemporalError as error:
            failure = error
        found = await self._follow(run, runs)
        if isinstance(found, Open) and failure is not None:
            raise failure
        return found

    async def _look_around(self, found: Closed | NotFound, runs: Runs) -> Finding:
        """Note the children that outlive the run. What can't be seen is not worth losing the record for."""
        if not isinstance(found, Closed) or found.closing.execution_uid != self.execution.metadata.uid:
            return found
        try:
            described = await runs.describe(found.run.workflow_id, found.run.run_id)
        except TemporalError:
            return found
        return replace(found, abandoned=described.abandoned) if described else found

    async def _record(self, finding: Finding, place: Place | None) -> None:
        """Write the status that the finding calls for, then tell what has changed."""
        old = self.execution.status
        status = render(self.execution, finding, place, _rfc3339(self.world.now()))
        if not self.gone:
            try:
                self.execution = await self.world.records.write_status(self.execution, status)
            except Gone:
                self.gone = True
        if self.gone:
            self.execution = self.execution.model_copy(update={"status": status})
        abandoned = finding.abandoned or () if isinstance(finding, Closed) else ()
        for announcement in announcements(old, status, abandoned=abandoned):
            await self.world.records.announce(self.execution, announcement)

    async def _hold(self) -> None:
        """Put the finalizer on an Execution whose deletion is to terminate the workflow, and on no other."""
        meta, policy = self.execution.metadata, self.execution.spec.deletion_policy
        wanted = policy is DeletionPolicy.TERMINATE and not closed(self.execution.status)
        if wanted and not meta.deletion_timestamp and FINALIZER not in meta.finalizers:
            await self._write_finalizers([*meta.finalizers, FINALIZER])

    async def _release(self, finding: Finding) -> None:
        """Take the finalizer off when it holds nothing any more, before the record that ends all looks."""
        meta = self.execution.metadata
        orphan = self.execution.spec.deletion_policy is DeletionPolicy.ORPHAN
        ended = isinstance(finding, Closed | Recorded)
        nothing = isinstance(finding, NotFound) or (isinstance(finding, Denied) and not pinned(self.execution.status))
        if FINALIZER in meta.finalizers and (orphan or ended or (deleting(self.execution) and nothing)):
            await self._write_finalizers([name for name in meta.finalizers if name != FINALIZER])

    async def _write_finalizers(self, finalizers: list[str]) -> None:
        if self.gone:
            return
        try:
            self.execution = await self.world.records.write_finalizers(self.execution, finalizers)
        except Gone:
            self.gone = True

    def _next_look(self, deadline: str) -> float:
        """Return the seconds until the next look at a workflow that has been asked to cancel itself."""
        terminate = self.execution.spec.terminate
        left = (datetime.fromisoformat(deadline) - self.world.now()).total_seconds()
        taken = (terminate.grace_period_seconds if terminate else 0) - left
        return max(0.0, min(left, max(QUICKEST_LOOK, min(taken, SLOWEST_LOOK))))

    def _settlement(self, finding: Finding) -> Settlement:
        match finding:
            case Failing() if self.not_asked:
                return Settlement(self.execution, after=WOKEN)
            case Failing():
                return Settlement(self.execution, failing=True)
            case Open(deadline=str() as deadline):
                return Settlement(self.execution, after=self._next_look(deadline))
            case _:
                return Settlement(self.execution)


WOKEN = inf
"""Of a wait without an end of its own: whoever sees to the Organization wakes the Execution."""

QUICKEST_LOOK, SLOWEST_LOOK = 0.5, 15.0
"""Seconds between two looks at a workflow that has been asked to cancel itself: as long as it has taken so far."""

UNDECIDED_LOOK = 0.2
"""Seconds until an Execution is looked at again whose Organization's Temporal is just being asked."""


def _vanished(execution: Execution) -> NotFound:
    status = execution.status
    return NotFound(
        f"Temporal no longer knows run {status.run_id} of workflow {status.workflow_id}: deleted or expired"
    )


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
