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
class Harness:
    """The drift, and the Executions that it enqueued."""

    mapping: Mapping = field(default_factory=Mapping)
    runs: OpenRuns = field(default_factory=OpenRuns)
    enqueued: list[Reference] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.review = AuthorizationDrift(self.runs, self.mapping, self._tell)

    def _tell(self, references: Sequence[Reference]) -> None:
        self.enqueued += references

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
        """Return the Executions that were enqueued since the last call."""
        enqueued, self.enqueued[:] = list(self.enqueued), []
        return enqueued


def leading(*organizations: Organization) -> Harness:
    harness = Harness()
    for each in organizations:
        harness.put(each)
    harness.review.start_leading()
    return harness


def test_a_conflict_and_its_end_are_told_of_those_in_the_namespace() -> None:
    harness = leading(organization("acme", "team-a", "team-b"))
    harness.know(one("team-a"), one("team-b"))
    assert harness.take() == []
    harness.put(organization("rival", "team-a"))
    assert harness.take() == [one("team-a")]
    harness.runs.drop("uid-team-a-")
    harness.know(one("team-a", CONFLICT))
    assert harness.take() == []
    harness.review.on_mapping_changed(harness.mapping.drop("rival"))
    assert harness.take() == [one("team-a", CONFLICT)]


def test_what_the_index_learns_late_is_told_if_it_is_not_so_any_more() -> None:
    harness = leading(organization("acme", "team-a"))
    harness.know(one("team-a", CONFLICT))
    assert harness.take() == [one("team-a", CONFLICT)]


def test_a_namespace_that_is_nobodys_and_one_that_has_become_anothers() -> None:
    harness = leading(organization("acme", "team-a"))
    harness.know(one("team-a"), one("team-c"))
    assert harness.take() == [one("team-c")]
    harness.mapping.drop("acme")
    harness.put(organization("globex", "team-a"))
    assert harness.take() == [one("team-a")]


def test_while_temporal_is_away_or_was_not_asked_nothing_is_told() -> None:
    harness = leading(acme := organization("acme", "team-a"))
    harness.know(one("team-a"), one("team-a", CONFLICT))
    harness.take()
    harness.put(acme, Reason.TEMPORAL_UNAVAILABLE)
    assert harness.take() == []
    harness.put(acme, Reason.SECRET_INVALID)
    assert harness.take() == [one("team-a"), one("team-a", CONFLICT)]


def test_one_that_records_no_organization_is_taken_for_its_namespaces() -> None:
    harness = leading(organization("acme", "team-a"))
    harness.know(one(recorded=""))
    assert harness.take() == []


def test_who_stands_by_tells_of_nobody_until_it_leads() -> None:
    harness = Harness()
    harness.put(organization("acme", "team-a"))
    harness.know(one("team-a", CONFLICT))
    harness.put(organization("acme", "team-a", generation=2))
    assert harness.take() == []
    harness.review.start_leading()
    assert harness.take() == [one("team-a", CONFLICT)]
