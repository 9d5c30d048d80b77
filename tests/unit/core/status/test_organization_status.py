"""The status of an Organization, computed from the mapping."""

from execution_operator.api import Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason
from execution_operator.core.status.organization_status import render
from tests.support.builders import mapping, organization, probe

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
ACME, RIVAL = organization("acme", "team-a", "team-b"), organization("rival")


def conditions(status: OrganizationStatus) -> dict[str, str]:
    return {each.type: f"{each.status}/{each.reason}" for each in status.conditions}


def with_fault(fault: Reason, of: Organization = ACME) -> Mapping:
    index = mapping(of)
    index.record_probe("acme", probe(of, fault, "because"))
    return index


def test_the_status_shows_generation_namespaces_and_temporal_namespace_id() -> None:
    status = render(organization("acme", "a", "b", generation=7), mapping(organization("acme", "a", "b")), NOW)
    assert (status.observed_generation, status.namespaces, status.temporal_namespace_id) == (7, 2, "id-acme")


def test_a_probed_organization_is_ready() -> None:
    assert conditions(render(ACME, mapping(ACME), NOW)) == {"Ready": "True/Ready"}


def test_there_is_no_ready_condition_before_temporal_was_called() -> None:
    index = Mapping()
    index.put(ACME)
    assert render(ACME, index, NOW) == OrganizationStatus(observed_generation=1, namespaces=2)


def test_ready_is_unknown_while_temporal_gives_no_answer_and_false_if_a_human_must_act() -> None:
    away, refused = with_fault(Reason.TEMPORAL_UNAVAILABLE), with_fault(Reason.TEMPORAL_REFUSED)
    assert conditions(render(ACME, away, NOW)) == {"Ready": "Unknown/TemporalUnavailable"}
    assert conditions(render(ACME, refused, NOW)) == {
        "Ready": "False/TemporalRefused",
        "Stalled": "True/TemporalRefused",
    }
    assert render(ACME, away, NOW).temporal_namespace_id is None


def test_a_namespace_conflict_has_its_own_condition_beside_ready() -> None:
    status = render(ACME, mapping(ACME, RIVAL), NOW)
    assert conditions(status) == {
        "Ready": "True/Ready",
        "NamespaceConflict": "True/NamespaceConflict",
        "Stalled": "True/NamespaceConflict",
    }
    assert {each.message.partition(":")[0] for each in status.conditions[1:]} == {"team-a is also listed by rival"}


def test_stalled_names_the_fault_of_ready_before_a_namespace_conflict() -> None:
    index = mapping(ACME, RIVAL)
    index.record_probe("acme", probe(ACME, Reason.TEMPORAL_REFUSED, "because"))
    stalled = render(ACME, index, NOW).conditions[2]
    assert (stalled.type, stalled.reason, stalled.message) == ("Stalled", "TemporalRefused", "because")


def test_the_transition_time_changes_only_with_the_status() -> None:
    then = render(ACME, mapping(ACME), THEN)
    old = ACME.model_copy(update={"status": then})
    same = render(old, mapping(old), NOW)
    gone = render(old, with_fault(Reason.TEMPORAL_REFUSED, old), NOW)
    assert same == then
    assert gone.conditions[0].last_transition_time == NOW
