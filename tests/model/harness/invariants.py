"""The invariants: what must hold after each step of each schedule."""

from execution_operator.api import Execution, Phase
from execution_operator.core.workflow.runs import RunStatus
from execution_operator.core.workflow.state import is_closed
from execution_operator.reconciler.run_chain import MAX_MISSES
from tests.model.harness.process import Operator
from tests.model.harness.state import OWNER, SharedState, ViolationError, version, violation_if
from tests.support.fake_temporal import FakeRun


class Invariants:
    """Checks new records and new terminations against the invariants.

    Args:
        state: The state outside of the operators.
        strict: Whether also the violations that the contract accepts are reported.

    Attributes:
        acting: The operator that takes the current step.
        origins: The run that was pinned first, by the Execution's UID.
    """

    def __init__(self, state: SharedState, *, strict: bool) -> None:
        self.state = state
        self.strict = strict
        self.acting: Operator | None = None
        self.origins: dict[str, str] = {}
        self._records_checked = self._terminations_checked = 0

    def check(self) -> None:
        """Check everything that is new since the last call."""
        for stored in self.state.server.history[self._records_checked :]:
            self._check_record(stored)
        self._records_checked = len(self.state.server.history)
        for run in self.state.temporal.terminated[self._terminations_checked :]:
            self._check_termination(run)
        self._terminations_checked = len(self.state.temporal.terminated)

    def _check_record(self, stored: Execution) -> None:
        """Compare a stored version of the Execution with Temporal's state. Closed runs do not change any more."""
        status, uid = stored.status, stored.metadata.uid
        if status.run_id is None:
            violation_if(status.phase not in (None, Phase.PENDING), "a phase without a run")
            return
        run = self.state.temporal.ever[status.run_id]
        owner = self.state.temporal.ever[run.first_run_id].born[OWNER]
        proof = status.observed_ownership.value if status.observed_ownership else owner
        violation_if(owner != proof, f"{owner}'s run recorded for {proof}")
        if uid not in self.origins:
            known = self.acting.owners if self.acting else set()
            violation_if(owner not in known, f"{owner}'s run recorded for {status.organization}")
        origin = self.origins.setdefault(uid, run.run_id)
        violation_if(
            not self.state.temporal.descends(run, origin), f"the pin moved off its chain: {origin} → {run.run_id}"
        )
        violation_if(run.first_run_id != status.first_run_id, "first run")
        closing = run.closing
        if not is_closed(status):
            violation_if(status.terminated_at is not None, "terminatedAt of an open Execution")
            return
        if closing is None or closing.successor:
            raise ViolationError(f"phase {status.phase}, and run {run.run_id} is not closed for good")
        phases = {
            RunStatus.TERMINATED: Phase.CANCELLED,
            RunStatus.CANCELED: Phase.CANCELLED,
            RunStatus.COMPLETED: Phase.COMPLETED,
        }
        violation_if(phases.get(closing.status, Phase.FAILED) != status.phase, f"{status.phase} for {closing.status}")
        terminated_at = closing.at if closing.status is RunStatus.TERMINATED else None
        violation_if(status.terminated_at != terminated_at, f"terminatedAt {status.terminated_at}, not {terminated_at}")
        violation_if(status.closed_at != closing.at, f"closedAt {status.closed_at}, not {closing.at}")
        outcome = status.termination.outcome if status.termination else None
        ours = closing.execution_uid == uid
        violation_if(outcome is not None and ours != (outcome == "Terminated"), f"outcome {outcome}, ours: {ours}")
        violation_if(ours and outcome is None, "our termination is recorded without its outcome")

    def _check_termination(self, run: FakeRun) -> None:
        """Verify that a termination met a run of the pinned chain, and a run that the organization owns."""
        closing = run.closing
        if closing is None or not closing.execution_uid:
            return
        uid = closing.execution_uid
        violation_if(uid not in self.origins, f"run {run.run_id} terminated before any was pinned")
        origin = self.origins[uid]
        unexpected = not self.state.temporal.descends(run, origin) and not self._overtaken(run)
        violation_if(unexpected, f"run {run.run_id} terminated, pinned is {origin}")
        ours = [
            each for each in self.state.temporal.ever.values() if each.closing and each.closing.execution_uid == uid
        ]
        violation_if(len(ours) > 1, f"terminated {len(ours)} times for {uid}")
        if closing.reason in self.state.asked:
            early = closing.at < self.state.asked[closing.reason]
            violation_if(
                early, f"terminated at {closing.at}, in the grace period until {self.state.asked[closing.reason]}"
            )
            violation_if(not self._stands(uid, closing.reason), f"{closing.reason} was known to be withdrawn")
        else:
            violation_if("was deleted" not in closing.reason, f"nobody said {closing.reason}")
        owner = self.state.temporal.ever[run.first_run_id].born[OWNER]
        known = self.acting.owners_at_call if self.acting else set()
        violation_if(
            owner not in known, f"{owner}'s run terminated by an operator that knew {known} for owners of the namespace"
        )

    def _stands(self, uid: str, reason: str) -> bool:
        """Return whether the request existed when the acting operator's reconcile started, or later."""
        since = self.acting.base if self.acting else 0
        return any(
            stored.spec.terminate is not None and stored.spec.terminate.reason == reason
            for stored in self.state.server.history
            if stored.metadata.uid == uid and version(stored) >= since
        )

    def _overtaken(self, run: FakeRun) -> bool:
        """Return whether the run is a reset of a chain that continued faster than the terminate calls.

        The contract accepts such a termination (design §3, step 3): a call cannot name both the chain and the run.
        """
        if run.run_id not in self.state.temporal.by_chain or self.acting is None or self.strict:
            return False
        return (
            self.acting.terminate_calls > MAX_MISSES
            and list(self.state.temporal.ever).index(run.run_id) >= self.acting.runs_at_walk
        )

    def verify_events(self) -> None:
        """Verify one Event for each termination. It may be missing only if an operator ended before its write."""
        now = self.state.server.get()
        if now is None:
            return
        announced = [each for of, each in self.state.server.announced if of.metadata.uid == now.metadata.uid]
        messages = {each.message for each in announced if each.reason == "Terminated"}
        violation_if(len(messages) > 1, f"more than one Event: {messages}")
        termination = now.status.termination
        ours = termination is not None and termination.outcome == "Terminated"
        violation_if(ours and not messages and not self.state.crashes, "a termination has no Event")
