"""The simulation: a user, Temporal, and two operators, with methods for the steps of a schedule.

At each `await` of a port, a schedule may continue with another actor, fail the call, or kill the operator. There is no
event loop: the simulation resumes coroutines itself, and time passes only in a step.
"""

from collections.abc import Callable
from typing import Any

from execution_operator.api import DeletionPolicy, Terminate
from execution_operator.reconciler.run_chain import MAX_MISSES
from tests.model.harness.invariants import Invariants
from tests.model.harness.process import Operator
from tests.model.harness.state import GRACE, NAMESPACE, OWNER, SOUND, SharedState, Variant, ViolationError
from tests.support.builders import execution
from tests.support.fake_temporal import FakeRun, OnCancel, ParentClosePolicy

MAX_CALLS = 400
"""The largest number of port calls in a reconcile."""


class Simulation:
    """The shared state, the operators, and the steps that change them.

    Args:
        variant: The product that the operators run.
        strict: Whether also the violations that the contract accepts are reported.
    """

    def __init__(self, variant: Variant = SOUND, *, strict: bool = False) -> None:
        self.state = SharedState()
        self.invariants = Invariants(self.state, strict=strict)
        self.a, self.b = Operator("A", self.state, variant), Operator("B", self.state, variant)
        self._count = 0
        self.begin("wf", "acme")

    # --- the user

    def create(self, **options: Any) -> None:
        """Create the Execution if it does not exist."""
        if self.state.server.get() is None:
            self._count += 1
            self.state.server.create(execution(uid=f"uid-{self._count}", **options))

    def create_asking(self) -> None:
        self.create(reason=self._reason())

    def create_pinned(self) -> None:
        run = self.state.temporal.current("wf", NAMESPACE)
        if run is not None:
            self.create(run_id=run.run_id)

    def create_terminating(self) -> None:
        self.create(policy=DeletionPolicy.TERMINATE)

    def ask(self, grace: int = 0) -> None:
        """Request the termination, or change the reason where that is allowed."""
        now = self.state.server.get()
        if now is not None and (now.status.terminated_at is None or now.spec.terminate is None):
            self.state.server.edit(now, terminate=Terminate(reason=self._reason(grace), grace_period_seconds=grace))

    def ask_gracefully(self) -> None:
        self.ask(GRACE)

    def withdraw(self) -> None:
        if now := self.state.server.get():
            self.state.server.edit(now, terminate=None)

    def delete(self) -> None:
        if now := self.state.server.get():
            self.state.server.delete(now)

    def terminate_on_deletion(self) -> None:
        if now := self.state.server.get():
            self.state.server.edit(now, deletion_policy=DeletionPolicy.TERMINATE)

    def _reason(self, grace: int = 0) -> str:
        self._count += 1
        reason = f"reason {self._count}"
        self.state.asked[reason] = self.state.clock.after(grace)
        return reason

    # --- Temporal

    def begin(self, workflow_id: str, owner: str, on_cancel: OnCancel = OnCancel.HONOUR) -> None:
        """Start a workflow if its ID is free."""
        current = self.state.temporal.current(workflow_id, NAMESPACE)
        if current is None or not current.open:
            self.state.temporal.start(workflow_id, namespace=NAMESPACE, attributes={OWNER: owner}, on_cancel=on_cancel)

    def with_open_run(self, what: Callable[[FakeRun], object]) -> None:
        """Apply an action to the workflow's open run, if there is one."""
        run = self.state.temporal.current("wf", NAMESPACE)
        if run is not None and run.open:
            what(run)

    def terminate_by_hand(self, run: FakeRun) -> None:
        self.state.temporal.terminate("wf", run.run_id, namespace=NAMESPACE, reason="by hand", identity="jane")

    def overwrite_owner(self, run: FakeRun) -> None:
        self.state.temporal.upsert(run, {OWNER: "acme" if run.born[OWNER] == "rival" else "rival"})

    def stop_honouring(self, run: FakeRun) -> None:
        run.on_cancel = OnCancel.SWALLOW

    def start_child(self, run: FakeRun) -> None:
        child = self.state.temporal.current("child", NAMESPACE)
        if child is None or not child.open:
            self.state.temporal.start_child(run, "child", ParentClosePolicy.ABANDON)

    def reset(self) -> None:
        if run := self.state.temporal.current("wf", NAMESPACE):
            self.state.temporal.reset(run)

    def reset_first(self) -> None:
        """Reset the oldest run of the workflow ID, whatever its chain."""
        runs = [run for run in self.state.temporal.ever.values() if run.workflow_id == "wf"]
        if self.state.temporal.current("wf", NAMESPACE) and self.state.temporal.get("wf", runs[0].run_id, NAMESPACE):
            self.state.temporal.reset(runs[0])

    def expire(self) -> None:
        """Delete the oldest closed run."""
        for run in self.state.temporal.ever.values():
            if not run.open and self.state.temporal.get("wf", run.run_id, NAMESPACE) is run:
                self.state.temporal.delete(run)
                return

    def continue_before_each_terminate(self, operator: Operator) -> None:
        """Continue the workflow as new before each terminate call of the operator, up to its limit of misses."""
        for _ in range(MAX_CALLS):
            if operator.task is None or operator.terminate_calls == MAX_MISSES:
                return
            if operator.at == "terminate":
                self.with_open_run(self.state.temporal.continue_as_new)
            self.act(operator, Operator.resume)

    # --- the operators

    def act(self, operator: Operator, how: Callable[[Operator], None]) -> None:
        """Let an operator take a step, and check the invariants."""
        self.invariants.acting = operator
        try:
            how(operator)
        except ViolationError:
            raise
        except Exception as broken:  # any error of the product is a violation
            raise ViolationError(f"{type(broken).__name__}: {broken}") from broken
        finally:
            self.invariants.check()
            self.invariants.acting = None
