"""The Executions by every name that callers have for them, kept by watch; and waiting for one of them to change."""

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
    """What the gateway keeps of an Execution."""

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
        """Take from the object what matters here."""
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
        """Namespace and name, as people write them."""
        return f"{self.namespace}/{self.name}"

    @property
    def known_as(self) -> set[str]:
        """Every identifier that a caller may use."""
        return {self.execution_id, self.workflow_id or self.execution_id, self.name, self.path, self.uid}


class Index:
    """All Executions, as the watch last showed them."""

    def __init__(self) -> None:
        self._seen: dict[str, ExecutionView] = {}
        self._by_id: defaultdict[str, set[str]] = defaultdict(set)
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._complete = asyncio.Event()

    def __len__(self) -> int:
        return len(self._seen)

    @property
    def synced(self) -> bool:
        """Whether the first list is complete."""
        return self._complete.is_set()

    @property
    def waiting(self) -> int:
        """How many wait for a change."""
        return sum(map(len, self._waiting.values()))

    def changed(self, change: Change) -> None:
        """Take up a change of the watch."""
        uid = change.object["metadata"]["uid"]
        execution = None if change.deleted else parse(Execution, change.object)
        self._drop(uid)
        if execution is not None:
            self._put(ExecutionView.of(execution))
        self._wake(uid)

    def listed(self, uids: set[str]) -> None:
        """Drop what a complete list does not hold: it was deleted while nobody looked."""
        for uid in self._seen.keys() - uids:
            self._drop(uid)
            self._wake(uid)
        self._complete.set()

    def find(self, identifier: str) -> list[ExecutionView]:
        """Return the Executions that the identifier means: open ones first, newest first."""
        found = [self._seen[uid] for uid in self._by_id.get(identifier, ())]
        found.sort(key=lambda seen: (seen.created, seen.uid), reverse=True)
        return sorted(found, key=lambda seen: seen.closed)

    def get(self, uid: str) -> ExecutionView | None:
        """Return an Execution as last seen."""
        return self._seen.get(uid)

    async def until(self, uid: str, settled: Callable[[ExecutionView | None], T | None]) -> T:
        """Wait until an Execution (None: it is gone) is settled, and return what settled it."""
        changed = asyncio.Event()
        self._waiting[uid].add(changed)
        try:
            while (found := settled(self._seen.get(uid))) is None:
                await changed.wait()
                changed.clear()
        finally:
            self._waiting[uid].discard(changed)
            if not self._waiting[uid]:
                del self._waiting[uid]
        return found

    def _put(self, seen: ExecutionView) -> None:
        self._seen[seen.uid] = seen
        for identifier in seen.known_as:
            self._by_id[identifier].add(seen.uid)

    def _drop(self, uid: str) -> None:
        seen = self._seen.pop(uid, None)
        for identifier in _identifiers(seen):
            self._by_id[identifier].discard(uid)
            if not self._by_id[identifier]:
                del self._by_id[identifier]

    def _wake(self, uid: str) -> None:
        for event in self._waiting.get(uid, ()):
            event.set()


def _identifiers(seen: ExecutionView | None) -> Iterator[str]:
    yield from seen.known_as if seen else ()
