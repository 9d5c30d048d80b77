"""The user, Temporal's world, and two operators in it: the steps that a schedule is made of.

Every `await` of a port is a point where a scheduler may turn to somebody else, break the call off, or end the
operator. Coroutines are driven by hand; there is no event loop, and time passes only as a step.
"""

from collections.abc import Callable
from typing import Any

from execution_operator.api import DeletionPolicy, Terminate
from execution_operator.reconciler.run_chain import MAX_MISSES
from tests.model.invariants import Invariants
from tests.model.process import Operator
from tests.model.scene import GRACE, NAMESPACE, OWNER, SOUND, Scene, Variant, ViolationError
from tests.support.builders import execution
from tests.support.fake_temporal import FakeRun, OnCancel, ParentClosePolicy

CALLS = 400
"""How many points a pass may have."""


class World:
    """Everything, and the steps that change it.

    Args:
        variant: The product that the operators run.
        strict: Not even what the contract accepts may be.
    """

    def __init__(self, variant: Variant = SOUND, *, strict: bool = False) -> None:
        self.scene = Scene()
        self.invariants = Invariants(self.scene, strict=strict)
        self.a, self.b = Operator("A", self.scene, variant), Operator("B", self.scene, variant)
        self._count = 0
        self.begin("wf", "acme")

    # --- the user

    def create(self, **options: Any) -> None:
        """Create the Execution, if there is none."""
        if self.scene.server.get() is None:
            self._count += 1
            self.scene.server.create(execution(uid=f"uid-{self._count}", **options))

    def create_asking(self) -> None:
        self.create(reason=self._reason())

    def create_pinned(self) -> None:
        run = self.scene.temporal.current("wf", NAMESPACE)
        if run is not None:
            self.create(run_id=run.run_id)

    def create_terminating(self) -> None:
        self.create(policy=DeletionPolicy.TERMINATE)

    def ask(self, grace: int = 0) -> None:
        """Ask for the termination, or reword it where that is allowed."""
        now = self.scene.server.get()
        if now is not None and (now.status.terminated_at is None or now.spec.terminate is None):
            self.scene.server.edit(now, terminate=Terminate(reason=self._reason(grace), grace_period_seconds=grace))

    def ask_gracefully(self) -> None:
        self.ask(GRACE)

    def withdraw(self) -> None:
        if now := self.scene.server.get():
            self.scene.server.edit(now, terminate=None)

    def delete(self) -> None:
        if now := self.scene.server.get():
            self.scene.server.delete(now)

    def terminate_on_deletion(self) -> None:
        if now := self.scene.server.get():
            self.scene.server.edit(now, deletion_policy=DeletionPolicy.TERMINATE)

    def _reason(self, grace: int = 0) -> str:
        self._count += 1
        reason = f"reason {self._count}"
        self.scene.asked[reason] = self.scene.clock.after(grace)
        return reason

    # --- Temporal

    def begin(self, workflow_id: str, owner: str, on_cancel: OnCancel = OnCancel.HONOUR) -> None:
        """Start a workflow, where the ID is free."""
        current = self.scene.temporal.current(workflow_id, NAMESPACE)
        if current is None or not current.open:
            self.scene.temporal.start(workflow_id, namespace=NAMESPACE, attributes={OWNER: owner}, on_cancel=on_cancel)

    def happen(self, what: Callable[[FakeRun], object]) -> None:
        """Have something happen to the workflow's open run."""
        run = self.scene.temporal.current("wf", NAMESPACE)
        if run is not None and run.open:
            what(run)

    def kill(self, run: FakeRun) -> None:
        self.scene.temporal.terminate("wf", run.run_id, namespace=NAMESPACE, reason="by hand", identity="jane")

    def forge(self, run: FakeRun) -> None:
        self.scene.temporal.upsert(run, {OWNER: "acme" if run.born[OWNER] == "rival" else "rival"})

    def stop_honouring(self, run: FakeRun) -> None:
        run.on_cancel = OnCancel.SWALLOW

    def bear(self, run: FakeRun) -> None:
        child = self.scene.temporal.current("child", NAMESPACE)
        if child is None or not child.open:
            self.scene.temporal.start_child(run, "child", ParentClosePolicy.ABANDON)

    def reset(self) -> None:
        if run := self.scene.temporal.current("wf", NAMESPACE):
            self.scene.temporal.reset(run)

    def reset_first(self) -> None:
        """Reset the oldest run of the ID, of whatever chain."""
        runs = [run for run in self.scene.temporal.ever.values() if run.workflow_id == "wf"]
        if self.scene.temporal.current("wf", NAMESPACE) and self.scene.temporal.get("wf", runs[0].run_id, NAMESPACE):
            self.scene.temporal.reset(runs[0])

    def expire(self) -> None:
        """Delete the oldest closed run."""
        for run in self.scene.temporal.ever.values():
            if not run.open and self.scene.temporal.get("wf", run.run_id, NAMESPACE) is run:
                self.scene.temporal.delete(run)
                return

    def race(self, operator: Operator) -> None:
        """Have the workflow continue just before each of the operator's terminations, until it chases no more."""
        for _ in range(CALLS):
            if operator.task is None or operator.misses == MAX_MISSES:
                return
            if operator.at == "terminate":
                self.happen(self.scene.temporal.continue_as_new)
            self.act(operator, Operator.resume)

    # --- the operators

    def act(self, operator: Operator, how: Callable[[Operator], None]) -> None:
        """Have an operator take a step, and hold what it did against the invariants."""
        self.invariants.acting = operator
        try:
            how(operator)
        except ViolationError:
            raise
        except Exception as broken:  # whatever it is, a schedule shows it
            raise ViolationError(f"{type(broken).__name__}: {broken}") from broken
        finally:
            self.invariants.check()
            self.invariants.acting = None
