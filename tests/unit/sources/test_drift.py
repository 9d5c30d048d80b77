"""Which open Executions are looked at again because their Organizations, or what is known of these, have changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.sources.drift import AuthorizationDrift
from tests.support.builders import organization, probe

CONFLICT = Reason.NAMESPACE_CONFLICT


def one(namespace: str = "team-a", denial: str = "", recorded: str = "acme") -> Reference:
    return Reference(f"uid-{namespace}-{denial}", namespace, "run", recorded, f"run-{namespace}", denial=denial)


@dataclass
class Scene:
    """A review, and whom it told of."""

    mapping: Mapping = field(default_factory=Mapping)
    runs: OpenRuns = field(default_factory=OpenRuns)
    told: list[Reference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.review = AuthorizationDrift(self.runs, self.mapping, self._tell)

    def _tell(self, references: Sequence[Reference]) -> None:
        self.told += references

    def put(self, of: Organization, fault: Reason | None = None) -> None:
        """Have an Organization come, or change."""
        touched = self.mapping.put(of)
        self.mapping.record_probe(of.metadata.name, probe(of, fault))
        self.review.on_mapping_changed(touched)

    def know(self, *references: Reference) -> None:
        """Have the index learn of Executions."""
        for each in references:
            if self.runs.put(each):
                self.review.on_indexed(each)

    def take(self) -> list[Reference]:
        """Return whom it told of since."""
        told, self.told[:] = list(self.told), []
        return told


def leading(*organizations: Organization) -> Scene:
    scene = Scene()
    for each in organizations:
        scene.put(each)
    scene.review.start_leading()
    return scene


def test_a_conflict_and_its_end_are_told_of_those_in_the_namespace() -> None:
    scene = leading(organization("acme", "team-a", "team-b"))
    scene.know(one("team-a"), one("team-b"))
    assert scene.take() == []
    scene.put(organization("rival", "team-a"))
    assert scene.take() == [one("team-a")]
    scene.runs.drop("uid-team-a-")
    scene.know(one("team-a", CONFLICT))
    assert scene.take() == []
    scene.review.on_mapping_changed(scene.mapping.drop("rival"))
    assert scene.take() == [one("team-a", CONFLICT)]


def test_what_the_index_learns_late_is_told_if_it_is_not_so_any_more() -> None:
    scene = leading(organization("acme", "team-a"))
    scene.know(one("team-a", CONFLICT))
    assert scene.take() == [one("team-a", CONFLICT)]


def test_a_namespace_that_is_nobodys_and_one_that_has_become_anothers() -> None:
    scene = leading(organization("acme", "team-a"))
    scene.know(one("team-a"), one("team-c"))
    assert scene.take() == [one("team-c")]
    scene.mapping.drop("acme")
    scene.put(organization("globex", "team-a"))
    assert scene.take() == [one("team-a")]


def test_while_temporal_is_away_or_was_not_asked_nothing_is_told() -> None:
    scene = leading(acme := organization("acme", "team-a"))
    scene.know(one("team-a"), one("team-a", CONFLICT))
    scene.take()
    scene.put(acme, Reason.TEMPORAL_UNAVAILABLE)
    assert scene.take() == []
    scene.put(acme, Reason.SECRET_INVALID)
    assert scene.take() == [one("team-a"), one("team-a", CONFLICT)]


def test_one_that_records_no_organization_is_taken_for_its_namespaces() -> None:
    scene = leading(organization("acme", "team-a"))
    scene.know(one(recorded=""))
    assert scene.take() == []


def test_who_stands_by_tells_of_nobody_until_it_leads() -> None:
    scene = Scene()
    scene.put(organization("acme", "team-a"))
    scene.know(one("team-a", CONFLICT))
    scene.put(organization("acme", "team-a", generation=2))
    assert scene.take() == []
    scene.review.start_leading()
    assert scene.take() == [one("team-a", CONFLICT)]
