"""What users do with workflows and Executions, and what the operator owes them for it."""

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

from temporalio.api.history.v1 import HistoryEvent
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from tests.support.kube import Json, Kube, KubeError
from tests.support.workflows import Agent, Chain, Samples, Stubborn

T = TypeVar("T")
NAMESPACE = "team-a"
AWAY = (RPCError, RuntimeError, OSError, http.client.HTTPException)
"""What users see of a server that is away. They try again."""


class Ground(Protocol):
    """Where users live: Executions in the cluster, workflows in Temporal, and what became of them."""

    samples: Samples

    @property
    def kube(self) -> Kube:
        """The API server."""

    def until(self, name: str, namespace: str = ..., seconds: float = ..., **conditions: str) -> Json:
        """Wait until the Execution's conditions are these; return it."""

    def history(self, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
        """Return a run's events."""

    def terminated_runs(self) -> set[str]:
        """Return the IDs of all runs that were terminated, by whomever."""


@dataclass(frozen=True)
class Promise:
    """What must come of a request.

    Attributes:
        name: The Execution, and its workflow's ID.
        answers: What it may be answered with; none if it must stay denied.
        untouched: The run that must still be open in the end, where there is one.
    """

    name: str
    answers: frozenset[str]
    untouched: str = ""


class Users:
    """Live through one story after the other.

    Args:
        rig: The servers.
        dice: Where chance comes from.
    """

    def __init__(self, rig: Ground, dice: random.Random) -> None:
        self._rig = rig
        self._dice = dice
        self._lock = threading.Lock()
        self.promises: dict[str, Promise] = {}
        self.closed: set[str] = set()
        """The runs that users have terminated themselves."""

    def live(self, number: int) -> None:
        """Live through one story, to where its request is made."""
        stories: dict[Callable[[str], Promise], int] = {
            self.creation: 8,
            self.pinned: 5,
            self.obeyed: 2,
            self.ignored: 2,
            self.chain: 2,
            self.foreign: 1,
            self.reused: 1,
        }
        story = self._dice.choices([*stories], [*stories.values()])[0]
        promise = story(f"{story.__name__}-{number}")
        with self._lock:
            self.promises[promise.name] = promise

    def creation(self, name: str) -> Promise:
        """Ask for the end of a workflow with the Execution's creation."""
        self._begin(Agent, name)
        self._create(name, ask=True)
        return _answered(name, "Terminated")

    def pinned(self, name: str) -> Promise:
        """Ask for it later."""
        self._begin(Agent, name)
        self._create(name)
        time.sleep(self._dice.uniform(0.0, 2.0))
        self._ask(name)
        return _answered(name, "Terminated")

    def obeyed(self, name: str) -> Promise:
        """Ask for it with a grace period, in which the workflow ends; terminated where no request got through."""
        self._begin(Agent, name)
        self._create(name)
        self._ask(name, grace=20)
        return _answered(name, "Cancelled", "Terminated")

    def ignored(self, name: str) -> Promise:
        """Ask for it with a grace period that the workflow does not care for."""
        self._begin(Stubborn, name)
        self._create(name)
        self._ask(name, grace=self._dice.choice((1, 2, 5)))
        return _answered(name, "Terminated")

    def chain(self, name: str) -> Promise:
        """Ask for it while the workflow continues as new."""
        self._begin(Chain, name)
        self._create(name)
        for _ in range(self._dice.choice((1, 2, 3))):
            self._signal(name)
            time.sleep(self._dice.uniform(0.0, 0.5))
        self._ask(name)
        if self._dice.random() < 0.5:
            self._signal(name)
        return _answered(name, "Terminated")

    def foreign(self, name: str) -> Promise:
        """Ask for the end of another organization's workflow."""
        run = self._begin(Agent, name, "globex")
        self._create(name, ask=True)
        return Promise(name, frozenset(), run)

    def reused(self, name: str) -> Promise:
        """Ask for the end of a run that is closed; another workflow has its ID now."""
        first = self._begin(Agent, name)
        self._create(name)
        persist(partial(self._pinned, name, first))
        self.closed.add(first)
        persist(partial(self._close, name, first))
        second = self._begin(Agent, name)
        self._ask(name)
        return Promise(name, frozenset(["AlreadyClosed"]), second)

    def _begin(self, kind: type, name: str, organization: str = "acme") -> str:
        def begin() -> str:
            try:
                run = self._rig.samples.begin(kind, name, organization).result_run_id
            except WorkflowAlreadyStartedError as started:
                run = started.run_id
            assert run
            return run

        return persist(begin)

    def _create(self, name: str, *, ask: bool = False) -> None:
        spec: dict[str, Any] = {"terminate": {"reason": f"end of {name}"}} if ask else {}

        def create() -> None:
            try:
                self._rig.kube.create(name, NAMESPACE, **spec)
            except KubeError as error:
                if error.status != 409:  # an earlier attempt has succeeded unseen
                    raise

        persist(create)

    def _ask(self, name: str, grace: int = 0) -> None:
        persist(lambda: self._rig.kube.terminate(name, f"end of {name}", NAMESPACE, gracePeriodSeconds=grace))

    def _signal(self, name: str) -> None:
        """Have the chain go on; it may be closed by now."""
        handle = self._rig.samples.client.get_workflow_handle(name)
        try:
            self._rig.samples.do(handle.signal("next"))
        except AWAY:
            return  # one step less

    def _pinned(self, name: str, run_id: str) -> bool:
        if self._rig.kube.get(name, NAMESPACE).get("status", {}).get("runId") != run_id:
            raise RuntimeError("not pinned yet")
        return True

    def _close(self, name: str, run_id: str) -> bool:
        handle = self._rig.samples.client.get_workflow_handle(name, run_id=run_id)
        if self._rig.samples.status(name, run_id) == "RUNNING":
            self._rig.samples.do(handle.terminate(reason="by its owner"))
        return True


def persist(attempt: Callable[[], T], seconds: float = 120) -> T:
    """Try again while servers are away, or say that they are busy."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except KubeError as error:
            if error.status not in (409, 429) and error.status < 500:
                raise
            if time.monotonic() > deadline:
                raise
        except AWAY:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _answered(name: str, *answers: str) -> Promise:
    return Promise(name, frozenset(answers))
