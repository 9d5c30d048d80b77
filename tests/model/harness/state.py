"""The shared state of the model: the mapping of Organizations, both fake servers, the clock, the scheduler's points."""

import types
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from execution_operator.api import Execution, Organization
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.reconciler.reconciler import Reconciler
from tests.support.builders import organization, probe
from tests.support.clock import Clock
from tests.support.fake_records import FakeApiServer
from tests.support.fake_temporal import FakeRuns, FakeTemporal

OWNER = "OrganizationId"
NAMESPACE = "shared"
GRACE = 20


class ViolationError(Exception):
    """An invariant of the model is violated."""


def _organization(name: str, *namespaces: str, ownership: str | None = OWNER) -> Organization:
    templates = ("{executionId}", "agent-{executionId}")
    return organization(name, *namespaces, temporal=NAMESPACE, ownership=ownership, templates=templates)


ACME, RIVAL = _organization("acme", "team-a"), _organization("rival", "team-b")
MAPPINGS: dict[str, tuple[Organization, ...]] = {
    "mapped": (ACME, RIVAL),
    "unmapped": (_organization("acme", "team-c"), RIVAL),
    "contested": (ACME, _organization("rival", "team-a")),
    "moved": (_organization("acme", "team-c"), _organization("rival", "team-a")),
    "alone": (_organization("acme", "team-a", ownership=None),),
}
"""The Organizations under each mapping that an administrator may configure."""


def apply_mapping(mapping: Mapping, mapping_name: str) -> None:
    """Replace the Organizations of an operator's mapping."""
    for known in mapping:
        mapping.drop(known.metadata.name)
    for each in MAPPINGS[mapping_name]:
        mapping.put(each)
        mapping.record_probe(each.metadata.name, probe(each))


def owners(mapping_name: str) -> set[str]:
    """Return the organizations whose workflows may be terminated from the namespace `team-a`."""
    claimants = [each for each in MAPPINGS[mapping_name] if "team-a" in each.spec.namespaces]
    if len(claimants) != 1:
        return set()
    return {"acme", "rival"} if claimants[0].spec.ownership is None else {claimants[0].metadata.name}


@types.coroutine
def _point(name: str) -> Generator[str, None, None]:
    yield name


async def yield_to_scheduler(name: str) -> None:
    """Suspend the coroutine, so that the scheduler can run something else."""
    await _point(name)


@dataclass(frozen=True)
class Variant:
    """The product, or a broken variant that the model must detect."""

    runs: Callable[[FakeTemporal], FakeRuns] = lambda temporal: FakeRuns(temporal, NAMESPACE, yield_to_scheduler)
    mapping: Callable[[], Mapping] = Mapping
    reconciler: type[Reconciler] = Reconciler


SOUND = Variant()


@dataclass
class SharedState:
    """The state outside of the operators.

    Attributes:
        law: Who owns which namespace now.
        asked: The reason of each request, with the end of its grace period.
        crashes: The number of operators that ended during a reconcile.
    """

    clock: Clock = field(default_factory=Clock)
    server: FakeApiServer = field(default_factory=FakeApiServer)
    mapping_name: str = "mapped"
    asked: dict[str, str] = field(default_factory=dict)
    crashes: int = 0

    def __post_init__(self) -> None:
        self.temporal = FakeTemporal(self.clock, [NAMESPACE])


def violation_if(found: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Raise ViolationError if something forbidden was found."""
    if found:
        raise ViolationError(what)


def version(one: Execution) -> int:
    """Return the resourceVersion."""
    return int(one.metadata.resource_version)
