"""The index of Executions by every identifier that callers use, and waiting for a change of one of them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from execution_operator.api import Condition, Execution, Phase
from execution_operator.core.reasons import Type
from execution_operator.core.workflow.state import is_closed
from execution_operator.kube.parse import parse
from execution_operator.kube.watch import Change

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """The fields of an Execution that the gateway needs."""

    uid: str
    namespace: str
    name: str
    version: str
    created: str
    generation: int
    current: bool
    execution_id: str
    workflow_id: str | None
    phase: Phase | None
    closed: bool
    requested: bool
    outcome: str | None
    ended_at: str | None
    answer: Condition | None

    @classmethod
    def of(cls, execution: Execution) -> "ExecutionView":
        """Return the view of an Execution."""
        meta, spec, status = execution.metadata, execution.spec, execution.status
        return cls(
            uid=meta.uid,
            namespace=meta.namespace,
            name=meta.name,
            version=meta.resource_version,
            created=meta.creation_timestamp,
            generation=meta.generation,
            current=status.observed_generation == meta.generation,
            execution_id=spec.execution_id,
            workflow_id=status.workflow_id,
            phase=status.phase,
            closed=is_closed(status),
            requested=spec.terminate is not None,
            outcome=status.termination.outcome if status.termination else None,
            ended_at=status.terminated_at or status.closed_at,
            answer=status.condition(Type.TERMINATED),
        )

    @property
    def path(self) -> str:
        """The namespace and the name, for people."""
        return f"{self.namespace}/{self.name}"

    @property
    def identifiers(self) -> set[str]:
        """All identifiers by which callers may name the Execution."""
        return {self.execution_id, self.workflow_id or self.execution_id, self.name, self.path, self.uid}


class Index:
    """All Executions, as the watch last delivered them."""

    def __init__(self) -> None:
        self._views: dict[str, ExecutionView] = {}
        self._by_id: defaultdict[str, set[str]] = defaultdict(set)
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._complete = asyncio.Event()

    def __len__(self) -> int:
        return len(self._views)

    @property
    def synced(self) -> bool:
        """Whether the first list is complete."""
        return self._complete.is_set()

    @property
    def waiting(self) -> int:
        """The number of calls that wait for a change."""
        return sum(map(len, self._waiting.values()))

    def changed(self, change: Change) -> None:
        """Apply a change from the watch."""
        uid = change.object["metadata"]["uid"]
        execution = None if change.deleted else parse(Execution, change.object)
        self._drop(uid)
        if execution is not None:
            self._put(ExecutionView.of(execution))
        self._wake(uid)

    def listed(self, uids: set[str]) -> None:
        """Drop the Executions that a complete list does not contain: they were deleted while no watch ran."""
        for uid in self._views.keys() - uids:
            self._drop(uid)
            self._wake(uid)
        self._complete.set()

    def find(self, identifier: str) -> list[ExecutionView]:
        """Return the Executions with this identifier: open ones before closed ones, the newest first."""
        found = [self._views[uid] for uid in self._by_id.get(identifier, ())]
        found.sort(key=lambda view: (view.created, view.uid), reverse=True)
        return sorted(found, key=lambda view: view.closed)

    def get(self, uid: str) -> ExecutionView | None:
        """Return the newest known state of an Execution; None where it does not exist."""
        return self._views.get(uid)

    async def until(self, uid: str, settled: Callable[[ExecutionView | None], T | None]) -> T:
        """Wait until `settled` returns a value for an Execution, and return that value.

        Args:
            uid: The Execution.
            settled: Called at once and after each change, with None where the Execution does not exist.
        """
        changed = asyncio.Event()
        self._waiting[uid].add(changed)
        try:
            while (found := settled(self._views.get(uid))) is None:
                await changed.wait()
                changed.clear()
        finally:
            self._waiting[uid].discard(changed)
            if not self._waiting[uid]:
                del self._waiting[uid]
        return found

    def _put(self, view: ExecutionView) -> None:
        self._views[view.uid] = view
        for identifier in view.identifiers:
            self._by_id[identifier].add(view.uid)

    def _drop(self, uid: str) -> None:
        view = self._views.pop(uid, None)
        for identifier in _identifiers(view):
            self._by_id[identifier].discard(uid)
            if not self._by_id[identifier]:
                del self._by_id[identifier]

    def _wake(self, uid: str) -> None:
        for event in self._waiting.get(uid, ()):
            event.set()


def _identifiers(view: ExecutionView | None) -> Iterator[str]:
    yield from view.identifiers if view else ()
