"""Temporal in memory: deterministic, as strict as the real one where it matters to terminations.

`tests/contract` holds it against the real server; where they differ, the real one is right.
"""

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from typing import TypeVar

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import (
    CloseEvent,
    Run,
    RunDescription,
    RunStatus,
    TerminationRequest,
    Unclosed,
)
from tests.support.clock import Clock

T = TypeVar("T")


class ParentClosePolicy(StrEnum):
    """What a parent's end does to a child."""

    TERMINATE = "TERMINATE"
    ABANDON = "ABANDON"
    REQUEST_CANCEL = "REQUEST_CANCEL"


class OnCancel(Enum):
    """What a workflow does when its cancellation is requested."""

    HONOUR = "honour"
    SWALLOW = "swallow"
    LATER = "later"
    """Honours it once told to (`FakeTemporal.honour`)."""


class Fault(Enum):
    """What happens to a call."""

    BEFORE = "no answer, and no effect"
    AFTER = "no answer, though it had its effect"
    REFUSED = "an answer that says no"


@dataclass(eq=False)
class FakeRun:
    """One run, with what its history and its mutable state hold.

    Attributes:
        born: Search attributes in the start event. Nothing changes these.
        attributes: Search attributes as they are now; workflow code may overwrite them.
    """

    namespace: str
    workflow_id: str
    run_id: str
    first_run_id: str
    started_at: str
    born: dict[str, str]
    attributes: dict[str, str]
    on_cancel: OnCancel = OnCancel.HONOUR
    paused: bool = False
    cancel: TerminationRequest | None = None
    closing: CloseEvent | None = None
    parent: "FakeRun | None" = None
    policy: ParentClosePolicy = ParentClosePolicy.TERMINATE
    children: "list[FakeRun]" = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it has no close event."""
        return self.closing is None

    @property
    def status(self) -> RunStatus:
        """Its status, as Describe shows it."""
        if self.closing is not None:
            return self.closing.status
        return RunStatus.PAUSED if self.paused else RunStatus.RUNNING

    @property
    def pin(self) -> Run:
        """The run as a value."""
        return Run(self.workflow_id, self.run_id, self.first_run_id, self.started_at)


class FakeTemporal:
    """A server with namespaces.

    Args:
        clock: Stamps every event a little later than the one before.
        namespaces: Those that exist.

    Attributes:
        terminated: Every run that a termination closed, in order.
        ever: Every run that ever was, by its ID, also when it is deleted.
        by_chain: The runs whose termination named their chain.
        faults: What happens to the next calls of each name; none left means that all goes well.
    """

    def __init__(self, clock: Clock, namespaces: Iterable[str] = ("acme",)) -> None:
        self.clock = clock
        self.namespaces = set(namespaces)
        self.terminated: list[FakeRun] = []
        self.ever: dict[str, FakeRun] = {}
        self.by_chain: set[str] = set()
        self.faults: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._runs: dict[tuple[str, str, str], FakeRun] = {}
        self._current: dict[tuple[str, str], FakeRun] = {}
        self._count = 0

    # --- what users and workers do

    def start(
        self,
        workflow_id: str,
        *,
        namespace: str = "acme",
        attributes: dict[str, str] | None = None,
        on_cancel: OnCancel = OnCancel.HONOUR,
    ) -> FakeRun:
        """Start a workflow; an ID whose run is closed may be used again."""
        current = self.current(workflow_id, namespace)
        if current is not None and current.open:
            raise RuntimeError(f"workflow {workflow_id} is already running")
        born = dict(attributes or {})
        run_id = self._next_id()
        return self._keep(
            FakeRun(namespace, workflow_id, run_id, run_id, self.clock.stamp(), born, dict(born), on_cancel)
        )

    def start_child(self, parent: FakeRun, workflow_id: str, policy: ParentClosePolicy) -> FakeRun:
        """Start a child workflow."""
        child = self.start(workflow_id, namespace=parent.namespace)
        child.parent, child.policy = parent, policy
        parent.children.append(child)
        return child

    def upsert(self, run: FakeRun, attributes: dict[str, str]) -> None:
        """Overwrite search attributes, as workflow code can."""
        run.attributes |= attributes

    def complete(self, run: FakeRun, *, cron: bool = False) -> FakeRun | None:
        """Have the workflow return; with a cron schedule the next run follows."""
        return self._end(run, RunStatus.COMPLETED, goes_on=cron)

    def fail(self, run: FakeRun, *, retry: bool = False) -> FakeRun | None:
        """Have the workflow fail; under a retry policy the next run follows."""
        return self._end(run, RunStatus.FAILED, goes_on=retry)

    def time_out(self, run: FakeRun, *, retry: bool = False) -> FakeRun | None:
        """Let the run's time pass."""
        return self._end(run, RunStatus.TIMED_OUT, goes_on=retry)

    def continue_as_new(self, run: FakeRun) -> FakeRun:
        """Go on in a new run, whose start event carries the present search attributes."""
        following = self._end(run, RunStatus.CONTINUED_AS_NEW, goes_on=True)
        if following is None:
            raise RuntimeError("a continued run has a successor")
        return following

    def honour(self, run: FakeRun) -> None:
        """Have the workflow end as cancelled."""
        self._close(run, CloseEvent(RunStatus.CANCELED, self.clock.stamp()))

    def pause(self, run: FakeRun) -> None:
        """Pause the workflow."""
        run.paused = True

    def reset(self, run: FakeRun) -> FakeRun:
        """Make a new run of the history of this one; whatever run of the workflow ID is open is terminated."""
        current = self._current[run.namespace, run.workflow_id]
        if current.open:
            self._terminate(current, "reset", "history-resetter", None)
        run_id = self._next_id()
        born = dict(run.born)
        return self._keep(
            replace(
                run,
                run_id=run_id,
                born=born,
                attributes=dict(born),
                closing=None,
                cancel=None,
                children=[],
            )
        )

    def delete(self, run: FakeRun) -> None:
        """Delete a run, as a person or the end of its retention does."""
        self._runs.pop((run.namespace, run.workflow_id, run.run_id), None)
        if self._current.get((run.namespace, run.workflow_id)) is run:
            del self._current[run.namespace, run.workflow_id]

    # --- what the server answers

    def current(self, workflow_id: str, namespace: str = "acme") -> FakeRun | None:
        """Return the latest run of the workflow ID."""
        return self._current.get((namespace, workflow_id))

    def get(self, workflow_id: str, run_id: str, namespace: str = "acme") -> FakeRun | None:
        """Return this run, or the current one where none is named."""
        if not run_id:
            return self.current(workflow_id, namespace)
        return self._runs.get((namespace, workflow_id, run_id))

    def descends(self, run: FakeRun, run_id: str) -> bool:
        """Whether the run is this one, or follows it by close events alone."""
        each = self.ever.get(run_id)
        while each is not None and each is not run:
            each = self.ever.get(each.closing.successor) if each.closing else None
        return each is run

    def terminate(  # noqa: PLR0913 - the request has as many fields
        self,
        workflow_id: str,
        run_id: str = "",
        *,
        namespace: str = "acme",
        first_run_id: str = "",
        reason: str = "",
        identity: str = "",
        order: TerminationRequest | None = None,
    ) -> bool:
        """Terminate, and return whether this call did: a chain that is named makes the server ignore the run."""
        run = self.get(workflow_id, "" if first_run_id else run_id, namespace)
        if run is None or not run.open or (first_run_id and run.first_run_id != first_run_id):
            return False
        if first_run_id:
            self.by_chain.add(run.run_id)
        self._terminate(run, reason, identity, order)
        return True

    def request_cancel(self, run: FakeRun, order: TerminationRequest) -> None:
        """Note a request to cancel; the first one counts."""
        if not run.open or run.cancel is not None:
            return
        run.cancel = order
        if run.on_cancel is OnCancel.HONOUR and not run.paused:
            self.honour(run)

    def _end(self, run: FakeRun, status: RunStatus, *, goes_on: bool) -> FakeRun | None:
        if not run.open:
            raise RuntimeError(f"run {run.run_id} is closed")
        successor = self._next_id() if goes_on else ""
        self._close(run, CloseEvent(status, self.clock.stamp(), successor=successor))
        if not goes_on:
            return None
        attributes = run.attributes if status is RunStatus.CONTINUED_AS_NEW else run.born
        return self._keep(
            FakeRun(
                run.namespace,
                run.workflow_id,
                successor,
                run.first_run_id,
                self.clock.stamp(),
                dict(attributes),
                dict(attributes),
                run.on_cancel,
            )
        )

    def _terminate(self, run: FakeRun, reason: str, identity: str, order: TerminationRequest | None) -> None:
        closing = CloseEvent(
            RunStatus.TERMINATED,
            self.clock.stamp(),
            reason=reason or "terminated by user via frontend",
            identity=identity or "frontend-service",
            execution_uid=order.execution_uid if order else "",
            requested_by=order.requested_by if order else "",
        )
        self._close(run, closing)
        self.terminated.append(run)

    def _close(self, run: FakeRun, closing: CloseEvent) -> None:
        run.closing = closing
        if run.parent is not None and run.parent.open:
            run.parent.children.remove(run)
        if closing.successor:
            return
        for child in run.children:
            if child.open:
                self._part(child)

    def _part(self, child: FakeRun) -> None:
        """Do to a child what its parent's end calls for."""
        match child.policy:
            case ParentClosePolicy.TERMINATE:
                self._terminate(child, "by parent close policy", "history-service", None)
            case ParentClosePolicy.REQUEST_CANCEL:
                self.request_cancel(child, TerminationRequest("by parent close policy", "", "", ""))
            case ParentClosePolicy.ABANDON:
                pass

    def _keep(self, run: FakeRun) -> FakeRun:
        self._runs[run.namespace, run.workflow_id, run.run_id] = self.ever[run.run_id] = run
        self._current[run.namespace, run.workflow_id] = run
        return run

    def _next_id(self) -> str:
        self._count += 1
        return f"00000000-0000-4000-8000-{self._count:012x}"


Gate = Callable[[str], Awaitable[None]]
"""Passed twice by every call, before and after its effect; what it raises, the caller sees."""


async def opened(_: str) -> None:
    """Let every call pass."""


@dataclass
class FakeRuns:
    """The port `Runs` on a namespace of the server.

    Attributes:
        gate: Where a scheduler takes hold of each call.
    """

    temporal: FakeTemporal
    namespace: str = "acme"
    gate: Gate = opened

    async def describe(self, workflow_id: str, run_id: str) -> RunDescription | None:
        """Return the run (the current one if `run_id` is empty), or None if there is no such run."""
        return await self._call("describe", lambda: self._describe(workflow_id, run_id))

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        """Return the search attribute in the start event of the chain's first run; None if that is not there."""

        def read() -> str | None:
            first = self.temporal.get(run.workflow_id, run.first_run_id, self.namespace)
            return first.born.get(search_attribute, "") if first else None

        return await self._call("ownership_value", read)

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        """Return the run's close event, or why there is none."""

        def read() -> CloseEvent | Unclosed:
            found = self._get(run)
            return (found.closing or Unclosed.OPEN) if found else Unclosed.MISSING

        return await self._call("close_event", read)

    async def close_event_and_children(self, run: Run) -> tuple[CloseEvent | Unclosed, tuple[str, ...] | None]:
        """Return what `close_event` does and, of a run that has closed for good, what `abandoned_children` does."""
        closing = await self.close_event(run)
        ended = isinstance(closing, CloseEvent) and not closing.successor
        return closing, await self.abandoned_children(run) if ended else None

    async def abandoned_children(self, run: Run) -> tuple[str, ...] | None:
        """Return the children that outlive the run; None where they can't be seen, which raises nothing."""
        with suppress(TemporalError):
            if described := await self.describe(run.workflow_id, run.run_id):
                return described.abandoned
        return None

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        """Terminate this run, or whichever run of its chain is open. Proves nothing."""
        await self._call(
            "terminate",
            lambda: self.temporal.terminate(
                run.workflow_id,
                "" if chain else run.run_id,
                namespace=self.namespace,
                first_run_id=run.first_run_id if chain else "",
                reason=order.reason,
                identity=f"execution-operator/{order.namespace}/{order.name}",
                order=order,
            ),
        )

    async def request_cancel(self, run: Run, order: TerminationRequest) -> None:
        """Ask the workflow to cancel itself."""

        def request() -> None:
            if found := self._get(run):
                self.temporal.request_cancel(found, order)

        await self._call("request_cancel", request)

    async def _call(self, name: str, effect: Callable[[], T]) -> T:
        """Make a call, with the fault that is due."""
        await self.gate(name)
        due = self.temporal.faults.get(name)
        fault = due.popleft() if due else None
        if fault is Fault.BEFORE:
            raise TemporalError("Temporal does not answer: UNAVAILABLE: injected")
        if fault is Fault.REFUSED or self.namespace not in self.temporal.namespaces:
            raise TemporalError("Temporal refused the call: PERMISSION_DENIED: injected", refused=True)
        result = effect()
        if fault is Fault.AFTER:
            raise TemporalError("Temporal does not answer: CANCELLED: Timeout expired")
        await self.gate(f"{name} done")
        return result

    def _describe(self, workflow_id: str, run_id: str) -> RunDescription | None:
        run = self.temporal.get(workflow_id, run_id, self.namespace)
        if run is None:
            return None
        abandoned = (child.workflow_id for child in run.children if child.policy is ParentClosePolicy.ABANDON)
        return RunDescription(run.pin, run.status, tuple(abandoned), run.cancel is not None)

    def _get(self, run: Run) -> FakeRun | None:
        return self.temporal.get(run.workflow_id, run.run_id, self.namespace)
