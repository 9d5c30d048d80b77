"""The API server in memory, as far as Executions go: versions, generations, finalizers, conflicts, write-once rules."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from execution_operator.api import Execution, ExecutionStatus
from execution_operator.core.errors import Conflict, ObjectNotFound, RecordError
from execution_operator.core.status.events import EventRecord
from execution_operator.core.workflow.state import is_closed
from tests.support.fake_temporal import Fault, Gate, opened

T = TypeVar("T")

Key = tuple[str, str]


class FakeApiServer:
    """Stores Executions.

    Attributes:
        history: Every version of every object, in order: what a stale cache may still hold.
        announced: Every announcement, with the version of the object that it was made of.
        faults: What happens to the next calls of each name; none left means that all goes well.
    """

    def __init__(self) -> None:
        self.history: list[Execution] = []
        self.announced: list[tuple[Execution, EventRecord]] = []
        self.faults: defaultdict[str, deque[Fault | None]] = defaultdict(deque)
        self._objects: dict[Key, Execution] = {}
        self._version = 0

    # --- what users do

    def create(self, execution: Execution) -> Execution:
        """Store a new object, at generation 1."""
        if _key(execution) in self._objects:
            raise RuntimeError(f"{_key(execution)} exists")
        return self._store(execution, generation=1)

    def get(self, namespace: str = "team-a", name: str = "run") -> Execution | None:
        """Return the object as it is."""
        return self._objects.get((namespace, name))

    def edit(self, execution: Execution, **spec: Any) -> Execution:
        """Change fields of the spec."""
        now = self.current(execution)
        changed = now.spec.model_copy(update=spec)
        if changed == now.spec:
            return now
        return self._store(now.model_copy(update={"spec": changed}), generation=now.metadata.generation + 1)

    def delete(self, execution: Execution) -> None:
        """Delete the object; finalizers hold it."""
        now = self.current(execution)
        if not now.metadata.finalizers:
            del self._objects[_key(now)]
        elif now.metadata.deletion_timestamp is None:
            self._store(now, generation=now.metadata.generation + 1, deletion_timestamp="2026-01-01T00:00:00Z")

    # --- what the operator does

    def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Store a status, if the object has not changed."""
        now = self._guarded(execution)
        _assert_written_once(now.status, status)
        return self._store(now.model_copy(update={"status": status}))

    def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Store the finalizers, if the object has not changed; without any, a deleted object goes."""
        now = self._guarded(execution)
        stored = self._store(now, finalizers=finalizers)
        if not finalizers and stored.metadata.deletion_timestamp is not None:
            del self._objects[_key(stored)]
        return stored

    def current(self, execution: Execution) -> Execution:
        """Return the present state of this very object.

        Raises:
            Gone: There is none, or another of its name.
        """
        now = self._objects.get(_key(execution))
        if now is None or now.metadata.uid != execution.metadata.uid:
            raise ObjectNotFound
        return now

    def _guarded(self, execution: Execution) -> Execution:
        now = self._objects.get(_key(execution))
        if now is None:
            raise ObjectNotFound
        if (now.metadata.uid, now.metadata.resource_version) != (
            execution.metadata.uid,
            execution.metadata.resource_version,
        ):
            raise Conflict
        return now

    def _store(self, execution: Execution, **metadata: Any) -> Execution:
        self._version += 1
        meta = execution.metadata.model_copy(update={"resource_version": str(self._version), **metadata})
        stored = execution.model_copy(update={"metadata": meta})
        self._objects[_key(stored)] = stored
        self.history.append(stored)
        return stored


def _key(execution: Execution) -> Key:
    return execution.metadata.namespace, execution.metadata.name


def _assert_written_once(old: ExecutionStatus, new: ExecutionStatus) -> None:
    """Hold the CRD's rules: a closed phase, the time of the termination and the outcome are final."""
    assert not is_closed(old) or new.phase == old.phase, f"phase {old.phase} became {new.phase}"
    assert old.terminated_at in (None, new.terminated_at), f"terminatedAt {old.terminated_at} → {new.terminated_at}"
    if old.termination is not None and old.termination.outcome is not None:
        assert new.termination is not None, "the outcome vanished"
        assert new.termination.outcome == old.termination.outcome, "the outcome changed"


@dataclass
class FakeRecords:
    """The port `Records` on the server.

    Attributes:
        gate: Where a scheduler takes hold of each call.
    """

    server: FakeApiServer = field(default_factory=FakeApiServer)
    gate: Gate = opened

    async def read(self, execution: Execution) -> Execution:
        """Return the object as it is now."""
        return await self._call("read", lambda: self.server.current(execution))

    async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:
        """Write the status, or nothing, not even a call, if it is the same."""
        if execution.status == status:
            return execution
        return await self._call("write_status", lambda: self.server.write_status(execution, status))

    async def write_finalizers(self, execution: Execution, finalizers: list[str]) -> Execution:
        """Write the list of finalizers."""
        return await self._call("write_finalizers", lambda: self.server.write_finalizers(execution, finalizers))

    async def record_event(self, execution: Execution, event: EventRecord) -> None:
        """Note what is told."""
        await self._call("record_event", lambda: self.server.announced.append((execution, event)))

    async def _call(self, name: str, effect: Callable[[], T]) -> T:
        """Make a call, with the fault that is due."""
        await self.gate(name)
        due = self.server.faults.get(name)
        fault = due.popleft() if due else None
        if fault is Fault.BEFORE:
            raise RecordError(f"{name}: no answer")
        if fault is Fault.REFUSED:
            raise RecordError(f"{name}: forbidden")
        result = effect()
        if fault is Fault.AFTER:
            raise RecordError(f"{name}: timeout")
        await self.gate(f"{name} done")
        return result
