"""The index of open Executions by the run that they pin. It maps an event from Temporal to its Executions."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from execution_operator.api import Phase
from execution_operator.index.counting import subtract


@dataclass(frozen=True, slots=True)
class Reference:
    """An Execution by name, and the run that its status pins.

    Attributes:
        uid: The Execution's UID.
        namespace: The Execution's namespace.
        name: The Execution's name.
        organization: Name of the Organization that its status was decided by.
        run_id: The pinned run.
        phase: The phase of its status.
        denial: Reason of its Authorized condition if that is False, else empty.
    """

    uid: str
    namespace: str
    name: str
    organization: str
    run_id: str
    phase: str = Phase.RUNNING
    denial: str = ""


class OpenRuns:
    """References by UID and by run. Several Executions may pin the same run."""

    def __init__(self) -> None:
        self._by_uid: dict[str, Reference] = {}
        self._by_run: dict[str, tuple[Reference, ...]] = {}
        self._paused: dict[str, Reference] = {}
        self._unpinned: dict[str, str] = {}
        """Namespaces by UID."""
        self._organizations: Counter[str] = Counter()
        self._phases: Counter[str] = Counter()
        self._namespaces: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_uid)

    def __contains__(self, uid: str) -> bool:
        return uid in self._by_uid

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._by_uid.values())

    def put(self, reference: Reference) -> bool:
        """Add an open Execution that pins a run, or replace its reference. Return whether that changed anything."""
        if self._by_uid.get(reference.uid) == reference:
            return False
        self.drop(reference.uid)
        self._by_uid[reference.uid] = reference
        self._organizations[reference.organization] += 1
        self._phases[reference.phase] += 1
        self._namespaces[reference.namespace] += 1
        self._by_run[reference.run_id] = (*self.of_run(reference.run_id), reference)
        if reference.phase == Phase.PAUSED:
            self._paused[reference.uid] = reference
        return True

    def put_unpinned(self, uid: str, namespace: str) -> None:
        """Add an open Execution that pins no run yet. It only counts as pending."""
        self.drop(uid)
        self._unpinned[uid] = namespace

    def drop(self, uid: str) -> None:
        """Remove an Execution that has closed or was deleted. An unknown UID is ignored."""
        self._unpinned.pop(uid, None)
        self._paused.pop(uid, None)
        if reference := self._by_uid.pop(uid, None):
            subtract(self._organizations, reference.organization)
            subtract(self._phases, reference.phase)
            subtract(self._namespaces, reference.namespace)
            others = tuple(other for other in self.of_run(reference.run_id) if other.uid != uid)
            if others:
                self._by_run[reference.run_id] = others
            else:
                del self._by_run[reference.run_id]

    def retain(self, uids: set[str], namespace: str = "") -> None:
        """Remove all Executions that a complete list does not hold.

        Args:
            uids: The UIDs of the list.
            namespace: The namespace that was listed, or empty for all namespaces.
        """
        for uid in self._by_uid.keys() - uids:
            if not namespace or self._by_uid[uid].namespace == namespace:
                self.drop(uid)
        for uid in self._unpinned.keys() - uids:
            if not namespace or self._unpinned[uid] == namespace:
                self.drop(uid)

    def of_run(self, run_id: str) -> tuple[Reference, ...]:
        """Return the Executions that pin the run."""
        return self._by_run.get(run_id, ())

    def of_organization(self, name: str) -> list[Reference]:
        """Return the Executions of an Organization. The time grows with the number of all open Executions."""
        return [reference for reference in self._by_uid.values() if reference.organization == name]

    def paused(self) -> Collection[Reference]:
        """Return the Executions whose phase is paused."""
        return self._paused.values()

    def has_open_runs(self, organization: str) -> bool:
        """Return whether an Organization has open Executions that pin a run, in constant time."""
        return self._organizations[organization] > 0

    def count_in_namespace(self, name: str) -> int:
        """Return how many open Executions of a namespace pin a run, in constant time."""
        return self._namespaces[name]

    def count_by_phase(self) -> Counter[str]:
        """Return how many open Executions there are in each phase. Those without a pinned run are pending."""
        return self._phases + Counter({Phase.PENDING: len(self._unpinned)})
