"""Terminations at a steady rate during all disruptions of the operator, verified against Temporal at the end."""

import random
import threading
import time
from types import TracebackType
from typing import Self

from temporalio.api.history.v1 import HistoryEvent

from tests.faults.harness.load import generate_load
from tests.faults.harness.users import Users
from tests.faults.harness.verifier import OutcomeVerifier
from tests.support.kube import Json, Kube
from tests.support.stack import Stack
from tests.support.waiting import wait_for

STORIES_PER_SECOND = 3.0
"""Rate at which stories start."""

SETTLE_TIMEOUT_SECONDS = 120.0
"""Time after the last story in which each request must get its outcome."""


class _StackEnvironment:
    """The stack, without the runs that were terminated before the load."""

    def __init__(self, stack: Stack) -> None:
        self._stack, self.samples = stack, stack.samples
        self._before = stack.samples.terminated_runs()

    @property
    def kube(self) -> Kube:
        return self._stack.control_plane.kube

    def until(self, name: str, namespace: str = "team-a", seconds: float = 30, **conditions: str) -> Json:
        return self._stack.until(name, namespace, seconds, **conditions)

    def history(self, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
        return self.samples.history(workflow_id, run_id)

    def terminated_runs(self) -> set[str]:
        return self.samples.terminated_runs() - self._before


class Load:
    """Runs the stories of the soak's users in `team-a` and verifies their outcomes until the block ends.

    Args:
        site: Where.
        seed: Of their dice.
    """

    def __init__(self, stack: Stack, seed: int) -> None:
        environment = _StackEnvironment(stack)
        self._users = Users(environment, random.Random(seed))
        self._verifier = OutcomeVerifier(environment, self._users)
        self._ended = threading.Event()
        self._broken: list[str] = []
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Self:
        """Start the load."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Start no more stories. Wait until the running stories have outcomes."""
        self._ended.set()
        self._thread.join()

    @property
    def answers(self) -> dict[str, int]:
        """The number of requests by outcome."""
        return dict(self._verifier.answers)

    def begun(self) -> int:
        """Count the requests."""
        return len(self._users.expectations)

    def answered_one(self, name: str) -> float:
        """Make one more request now. Return the seconds until its outcome."""
        start = time.monotonic()
        self._users.expectations[name] = self._users.creation(name)
        wait_for(lambda: name in self._verifier.verified, f"{name} to be answered", seconds=90)
        return time.monotonic() - start

    def violations(self) -> list[str]:
        """Verify what can only be verified at the end. Return all violations."""
        self._verifier.verify_end()
        return [*self._broken, *self._verifier.violations]

    def _live(self) -> None:
        self._broken = generate_load(
            self._users, self._verifier, STORIES_PER_SECOND, self._ended.is_set, say=lambda _: None
        )
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while self._verifier.pending and time.monotonic() < deadline:
            self._verifier.verify_settled()
            time.sleep(0.2)
