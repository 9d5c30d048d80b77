"""The index of open Executions by the run that they pin: what a hint from Temporal is looked up in."""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from execution_operator.api import Phase
from execution_operator.index.counting import subtract


@dataclass(frozen=True, slots=True)
class Reference:
    """An Execution, by name, and the run that its status pins.

    Attributes:
        denial: Why its status says that it is not authorized; empty where it does not.
    """

    uid: str
    namespace: str
    name: str
    organization: str
    run_id: str
    phase: str = Phase.RUNNING
    denial: str = ""


class OpenRuns:
    """References by UID and by run. Several Executions may stand for one run."""

    def __init__(self) -> None:
        self._by_uid: dict[str, Reference] = {}
        self._by_run: dict[str, tuple[Reference, ...]] = {}
        self._paused: dict[str, Reference] = {}
        self._unpinned: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._phases: Counter[str] = Counter()
        self._namespaces: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_uid)

    def __contains__(self, uid: str) -> bool:
        return uid in self._by_uid

    def __iter__(self) -> Iterator[Reference]:
        return iter(self._by_uid.values())

    def put(self, reference: Reference) -> bool:
        """Take in an open Execution, or the next run of one that is known; return whether that is any news."""
        if self._by_uid.get(reference.uid) == reference:
            return False
        self.drop(reference.uid)  # with its place among those that pin no run
        self._by_uid[reference.uid] = reference
        self._counts[reference.organization] += 1
        self._phases[reference.phase] += 1
        self._namespaces[reference.namespace] += 1
        self._by_run[reference.run_id] = (*self.of_run(reference.run_id), reference)
        if reference.phase == Phase.PAUSED:
            self._paused[reference.uid] = reference
        return True

    def count(self, uid: str, namespace: str) -> None:
        """Take in an open Execution that pins no run yet: it is counted, and no more."""
        self.drop(uid)
        self._unpinned[uid] = namespace

    def phases(self) -> Counter[str]:
        """Count the Executions by phase."""
        return self._phases + Counter({Phase.PENDING: len(self._unpinned)})

    def drop(self, uid: str) -> None:
        """Forget an Execution that has closed or is gone; one that is not known is no error."""
        self._unpinned.pop(uid, None)
        self._paused.pop(uid, None)
        if reference := self._by_uid.pop(uid, None):
            subtract(self._counts, reference.organization)
            subtract(self._phases, reference.phase)
            subtract(self._namespaces, reference.namespace)
            rest = tuple(each for each in self.of_run(reference.run_id) if each.uid != uid)
            if rest:
                self._by_run[reference.run_id] = rest
            else:
                del self._by_run[reference.run_id]

    def keep(self, uids: set[str], namespace: str = "") -> None:
        """Forget all that a complete list does not hold, be it one of a namespace or of all."""
        for uid in self._by_uid.keys() - uids:
            if not namespace or self._by_uid[uid].namespace == namespace:
                self.drop(uid)
        for uid in self._unpinned.keys() - uids:
            if not namespace or self._unpinned[uid] == namespace:
                self.drop(uid)

    def of_run(self, run_id: str) -> tuple[Reference, ...]:
        """Return the Executions that pin the run."""
        return self._by_run.get(run_id, ())

    def paused(self) -> Collection[Reference]:
        """Return the Executions whose phase is paused."""
        return self._paused.values()

    def has(self, organization: str) -> bool:
        """Tell at once whether an Organization has open Executions."""
        return self._counts[organization] > 0

    def of_namespace(self, name: str) -> int:
        """Return at once how many Executions of a namespace pin an open run."""
        return self._namespaces[name]

    def of_organization(self, name: str) -> list[Reference]:
        """Return the Executions of an Organization. This looks at all there are."""
        return [reference for reference in self._by_uid.values() if reference.organization == name]
