"""What may never be, whatever happens."""

from execution_operator.api import Execution, Phase
from execution_operator.core.workflow.runs import RunStatus
from execution_operator.core.workflow.state import is_closed
from execution_operator.reconciler.run_chain import MAX_MISSES
from tests.model.process import Operator
from tests.model.scene import OWNER, Scene, ViolationError, never, version
from tests.support.fake_temporal import FakeRun


class Invariants:
    """Holds what is new against what may never be.

    Args:
        scene: The world outside of the operators.
        strict: Not even what the contract accepts may be.

    Attributes:
        acting: The operator whose step it is.
        origins: The run that was pinned first, by the Execution's UID.
    """

    def __init__(self, scene: Scene, *, strict: bool) -> None:
        self.scene = scene
        self.strict = strict
        self.acting: Operator | None = None
        self.origins: dict[str, str] = {}
        self._checked = self._judged = 0

    def check(self) -> None:
        """Hold everything that is new since the last time against the invariants."""
        for stored in self.scene.server.history[self._checked :]:
            self._check_record(stored)
        self._checked = len(self.scene.server.history)
        for run in self.scene.temporal.terminated[self._judged :]:
            self._check_termination(run)
        self._judged = len(self.scene.temporal.terminated)

    def _check_record(self, stored: Execution) -> None:
        """Hold a version of the Execution against what Temporal shows now: closings are final."""
        status, uid = stored.status, stored.metadata.uid
        if status.run_id is None:
            never(status.phase not in (None, Phase.PENDING), "a phase without a run")
            return
        run = self.scene.temporal.ever[status.run_id]
        owner = self.scene.temporal.ever[run.first_run_id].born[OWNER]
        proof = status.observed_ownership.value if status.observed_ownership else owner
        never(owner != proof, f"{owner}'s run recorded for {proof}")
        if uid not in self.origins:
            known = self.acting.owners if self.acting else set()
            never(owner not in known, f"{owner}'s run recorded for {status.organization}")
        origin = self.origins.setdefault(uid, run.run_id)
        never(not self.scene.temporal.descends(run, origin), f"the pin moved off its chain: {origin} → {run.run_id}")
        never(run.first_run_id != status.first_run_id, "first run")
        closing = run.closing
        if not is_closed(status):
            never(status.terminated_at is not None, "terminatedAt of an open Execution")
            return
        if closing is None or closing.successor:
            raise ViolationError(f"phase {status.phase}, and run {run.run_id} is not closed for good")
        phases = {
            RunStatus.TERMINATED: Phase.CANCELLED,
            RunStatus.CANCELED: Phase.CANCELLED,
            RunStatus.COMPLETED: Phase.COMPLETED,
        }
        never(phases.get(closing.status, Phase.FAILED) != status.phase, f"{status.phase} for {closing.status}")
        terminated_at = closing.at if closing.status is RunStatus.TERMINATED else None
        never(status.terminated_at != terminated_at, f"terminatedAt {status.terminated_at}, not {terminated_at}")
        never(status.closed_at != closing.at, f"closedAt {status.closed_at}, not {closing.at}")
        outcome = status.termination.outcome if status.termination else None
        ours = closing.execution_uid == uid
        never(outcome is not None and ours != (outcome == "Terminated"), f"outcome {outcome}, ours: {ours}")
        never(ours and outcome is None, "our termination is recorded without its outcome")

    def _check_termination(self, run: FakeRun) -> None:
        """Hold a termination against whose it was: only the pinned chain of the Execution, only its owner's."""
        closing = run.closing
        if closing is None or not closing.execution_uid:
            return
        uid = closing.execution_uid
        never(uid not in self.origins, f"run {run.run_id} terminated before any was pinned")
        origin = self.origins[uid]
        strange = not self.scene.temporal.descends(run, origin) and not self._overtaken(run)
        never(strange, f"run {run.run_id} terminated, pinned is {origin}")
        ours = [
            each for each in self.scene.temporal.ever.values() if each.closing and each.closing.execution_uid == uid
        ]
        never(len(ours) > 1, f"terminated {len(ours)} times for {uid}")
        if closing.reason in self.scene.asked:
            early = closing.at < self.scene.asked[closing.reason]
            never(early, f"terminated at {closing.at}, in the grace period until {self.scene.asked[closing.reason]}")
            never(not self._stands(uid, closing.reason), f"{closing.reason} was known to be withdrawn")
        else:
            never("was deleted" not in closing.reason, f"nobody said {closing.reason}")
        owner = self.scene.temporal.ever[run.first_run_id].born[OWNER]
        known = self.acting.knew if self.acting else set()
        never(owner not in known, f"{owner}'s run terminated by one who knew {known} for owners of the namespace")

    def _stands(self, uid: str, reason: str) -> bool:
        """Whether the request was there in a state that the acting operator's pass began with, or in a later one."""
        since = self.acting.base if self.acting else 0
        return any(
            stored.spec.terminate is not None and stored.spec.terminate.reason == reason
            for stored in self.scene.server.history
            if stored.metadata.uid == uid and version(stored) >= since
        )

    def _overtaken(self, run: FakeRun) -> bool:
        """Whether a chain that outran its terminations was reset between the last walk and the one that names it.

        That is what the contract accepts (design §3, step 3): the server can't be told chain and run at once.
        """
        if run.run_id not in self.scene.temporal.by_chain or self.acting is None or self.strict:
            return False
        return (
            self.acting.misses > MAX_MISSES and list(self.scene.temporal.ever).index(run.run_id) >= self.acting.walked
        )

    def told_once(self) -> None:
        """A termination is told in one Event, and missing only where an operator ended before it could tell."""
        now = self.scene.server.get()
        if now is None:
            return
        announced = [each for of, each in self.scene.server.announced if of.metadata.uid == now.metadata.uid]
        told = {each.message for each in announced if each.reason == "Terminated"}
        never(len(told) > 1, f"told twice: {told}")
        termination = now.status.termination
        ours = termination is not None and termination.outcome == "Terminated"
        never(ours and not told and not self.scene.crashes, "a termination was not told")
