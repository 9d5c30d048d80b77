"""What everybody in the model shares: who owns what, both servers, the clock, the points where turns are taken."""

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
    """Something happened that may never be."""


def _organization(name: str, *namespaces: str, ownership: str | None = OWNER) -> Organization:
    templates = ("{executionId}", "agent-{executionId}")
    return organization(name, *namespaces, temporal=NAMESPACE, ownership=ownership, templates=templates)


ACME, RIVAL = _organization("acme", "team-a"), _organization("rival", "team-b")
LAWS: dict[str, tuple[Organization, ...]] = {
    "mapped": (ACME, RIVAL),
    "unmapped": (_organization("acme", "team-c"), RIVAL),
    "contested": (ACME, _organization("rival", "team-a")),
    "moved": (_organization("acme", "team-c"), _organization("rival", "team-a")),
    "alone": (_organization("acme", "team-a", ownership=None),),
}
"""Who owns which namespace, as an administrator may have it."""


def enact(mapping: Mapping, law: str) -> None:
    """Bring a mapping up to date."""
    for known in mapping:
        mapping.drop(known.metadata.name)
    for each in LAWS[law]:
        mapping.put(each)
        mapping.record_probe(each.metadata.name, probe(each))


def owners(law: str) -> set[str]:
    """Return whose workflows may be ended from the namespace `team-a`."""
    claimants = [each for each in LAWS[law] if "team-a" in each.spec.namespaces]
    if len(claimants) != 1:
        return set()
    return {"acme", "rival"} if claimants[0].spec.ownership is None else {claimants[0].metadata.name}


@types.coroutine
def _point(name: str) -> Generator[str, None, None]:
    yield name


async def gate(name: str) -> None:
    """Give the scheduler its turn."""
    await _point(name)


@dataclass(frozen=True)
class Variant:
    """The product, or a broken one that the model must see through."""

    runs: Callable[[FakeTemporal], FakeRuns] = lambda temporal: FakeRuns(temporal, NAMESPACE, gate)
    mapping: Callable[[], Mapping] = Mapping
    reconciler: type[Reconciler] = Reconciler


SOUND = Variant()


@dataclass
class Scene:
    """The state of the world outside of the operators.

    Attributes:
        law: Who owns which namespace now.
        asked: The reasons that the user gave, with the end of the grace period of each.
        crashes: How many operators ended in the middle of a pass.
    """

    clock: Clock = field(default_factory=Clock)
    server: FakeApiServer = field(default_factory=FakeApiServer)
    law: str = "mapped"
    asked: dict[str, str] = field(default_factory=dict)
    crashes: int = 0

    def __post_init__(self) -> None:
        self.temporal = FakeTemporal(self.clock, [NAMESPACE])


def never(found: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Say that something happened that may never be."""
    if found:
        raise ViolationError(what)


def version(one: Execution) -> int:
    """Return the resourceVersion."""
    return int(one.metadata.resource_version)
