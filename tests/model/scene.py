"""What everybody in the model shares: who owns what, both servers, the clock, the points where turns are taken."""

import types
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from execution_operator.api import Execution, Organization
from execution_operator.core.mapping import Mapping
from tests.support.builders import organization, probe
from tests.support.clock import Clock
from tests.support.fake_records import FakeApiServer
from tests.support.fake_temporal import FakeRuns, FakeTemporal

OWNER = "OrganizationId"
NAMESPACE = "shared"
GRACE = 20


class ViolationError(Exception):
    """Something happened that may never be."""


def _organization(name: str, *namespaces: str) -> Organization:
    templates = ("{executionId}", "agent-{executionId}")
    return organization(name, *namespaces, temporal=NAMESPACE, ownership=OWNER, templates=templates)


ACME, RIVAL = _organization("acme", "team-a"), _organization("rival", "team-b")
LAWS: dict[str, tuple[Organization, ...]] = {
    "mapped": (ACME, RIVAL),
    "unmapped": (_organization("acme", "team-c"), RIVAL),
    "contested": (ACME, _organization("rival", "team-a")),
    "moved": (_organization("acme", "team-c"), _organization("rival", "team-a")),
}
"""Who owns which namespace, as an administrator may have it."""


def enact(mapping: Mapping, law: str) -> None:
    """Bring a mapping up to date."""
    for each in LAWS[law]:
        mapping.put(each)
        mapping.probed(each.metadata.name, probe(each))


def sole_owner(law: str) -> str | None:
    """Return whose namespace `team-a` is."""
    owners = [each.metadata.name for each in LAWS[law] if "team-a" in each.spec.namespaces]
    return owners[0] if len(owners) == 1 else None


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
