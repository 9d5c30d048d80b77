"""Stories of users: they start workflows, request terminations, and expect certain outcomes."""

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
SERVER_ERRORS = (RPCError, RuntimeError, OSError, http.client.HTTPException)
"""Errors of a server that is unreachable. Users try again."""


class Environment(Protocol):
    """The servers that the users work with."""

    samples: Samples

    @property
    def kube(self) -> Kube:
        """The API server."""

    def until(self, name: str, namespace: str = ..., seconds: float = ..., **conditions: str) -> Json:
        """Wait until the Execution has these conditions. Return it."""

    def history(self, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
        """Return the history of a run."""

    def terminated_runs(self) -> set[str]:
        """Return the IDs of all terminated runs, whoever terminated them."""


@dataclass(frozen=True)
class Expectation:
    """The outcome that a request must have.

    Attributes:
        name: The Execution's name, which is also the workflow ID.
        answers: The outcomes that are allowed. Empty if the request must stay denied.
        untouched: The run that must still be open at the end. Empty if there is none.
    """

    name: str
    answers: frozenset[str]
    untouched: str = ""


class Users:
    """Runs randomly chosen stories.

    Args:
        cluster: The servers.
        random_source: The source of random numbers.
    """

    def __init__(self, cluster: Environment, random_source: random.Random) -> None:
        self._cluster = cluster
        self._random = random_source
        self._lock = threading.Lock()
        self.expectations: dict[str, Expectation] = {}
        self.closed: set[str] = set()
        """The runs that users have terminated in Temporal."""

    def run_story(self, number: int) -> None:
        """Run one story up to its request."""
        stories: dict[Callable[[str], Expectation], int] = {
            self.creation: 8,
            self.pinned: 5,
            self.obeyed: 2,
            self.ignored: 2,
            self.chain: 2,
            self.foreign: 1,
            self.reused: 1,
        }
        story = self._random.choices([*stories], [*stories.values()])[0]
        expectation = story(f"{story.__name__}-{number}")
        with self._lock:
            self.expectations[expectation.name] = expectation

    def creation(self, name: str) -> Expectation:
        """Create an Execution with a termination request."""
        self._begin(Agent, name)
        self._create(name, ask=True)
        return _answered(name, "Terminated")

    def pinned(self, name: str) -> Expectation:
        """Request the termination of an Execution some time after its creation."""
        self._begin(Agent, name)
        self._create(name)
        time.sleep(self._random.uniform(0.0, 2.0))
        self._ask(name)
        return _answered(name, "Terminated")

    def obeyed(self, name: str) -> Expectation:
        """Request a termination with a grace period. The workflow obeys the cancel request.

        The workflow is terminated if no cancel request reached Temporal in time.
        """
        self._begin(Agent, name)
        self._create(name)
        self._ask(name, grace=20)
        return _answered(name, "Cancelled", "Terminated")

    def ignored(self, name: str) -> Expectation:
        """Request a termination with a grace period. The workflow ignores the cancel request."""
        self._begin(Stubborn, name)
        self._create(name)
        self._ask(name, grace=self._random.choice((1, 2, 5)))
        return _answered(name, "Terminated")

    def chain(self, name: str) -> Expectation:
        """Request a termination while the workflow continues as new."""
        self._begin(Chain, name)
        self._create(name)
        for _ in range(self._random.choice((1, 2, 3))):
            self._signal(name)
            time.sleep(self._random.uniform(0.0, 0.5))
        self._ask(name)
        if self._random.random() < 0.5:
            self._signal(name)
        return _answered(name, "Terminated")

    def foreign(self, name: str) -> Expectation:
        """Request the termination of another organization's workflow."""
        run = self._begin(Agent, name, "globex")
        self._create(name, ask=True)
        return Expectation(name, frozenset(), run)

    def reused(self, name: str) -> Expectation:
        """Request the termination of a closed run whose workflow ID a newer workflow has reused."""
        first = self._begin(Agent, name)
        self._create(name)
        persist(partial(self._pinned, name, first))
        self.closed.add(first)
        persist(partial(self._close, name, first))
        second = self._begin(Agent, name)
        self._ask(name)
        return Expectation(name, frozenset(["AlreadyClosed"]), second)

    def _begin(self, kind: type, name: str, organization: str = "acme") -> str:
        def begin() -> str:
            try:
                run = self._cluster.samples.begin(kind, name, organization).result_run_id
            except WorkflowAlreadyStartedError as started:
                run = started.run_id
            assert run
            return run

        return persist(begin)

    def _create(self, name: str, *, ask: bool = False) -> None:
        spec: dict[str, Any] = {"terminate": {"reason": f"end of {name}"}} if ask else {}

        def create() -> None:
            try:
                self._cluster.kube.create(name, NAMESPACE, **spec)
            except KubeError as error:
                if error.status != 409:  # an earlier attempt has succeeded unseen
                    raise

        persist(create)

    def _ask(self, name: str, grace: int = 0) -> None:
        persist(lambda: self._cluster.kube.terminate(name, f"end of {name}", NAMESPACE, gracePeriodSeconds=grace))

    def _signal(self, name: str) -> None:
        """Signal the workflow to continue as new. It may already be closed."""
        handle = self._cluster.samples.client.get_workflow_handle(name)
        try:
            self._cluster.samples.do(handle.signal("next"))
        except SERVER_ERRORS:
            return  # the chain is one run shorter

    def _pinned(self, name: str, run_id: str) -> bool:
        if self._cluster.kube.get(name, NAMESPACE).get("status", {}).get("runId") != run_id:
            raise RuntimeError("not pinned yet")
        return True

    def _close(self, name: str, run_id: str) -> bool:
        handle = self._cluster.samples.client.get_workflow_handle(name, run_id=run_id)
        if self._cluster.samples.status(name, run_id) == "RUNNING":
            self._cluster.samples.do(handle.terminate(reason="by its owner"))
        return True


def persist(attempt: Callable[[], T], seconds: float = 120) -> T:
    """Repeat the attempt while servers are unreachable or report that they are busy."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except KubeError as error:
            if error.status not in (409, 429) and error.status < 500:
                raise
            if time.monotonic() > deadline:
                raise
        except SERVER_ERRORS:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def _answered(name: str, *answers: str) -> Expectation:
    return Expectation(name, frozenset(answers))
