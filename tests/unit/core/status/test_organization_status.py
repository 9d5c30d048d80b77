"""The status of an Organization, from the mapping."""

from execution_operator.api import Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason
from execution_operator.core.status.organization_status import render
from tests.support.builders import mapping, organization, probe

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
ACME, RIVAL = organization("acme", "team-a", "team-b"), organization("rival")


def cells(status: OrganizationStatus) -> dict[str, str]:
    return {each.type: f"{each.status}/{each.reason}" for each in status.conditions}


def faulty(fault: Reason, of: Organization = ACME) -> Mapping:
    index = mapping(of)
    index.record_probe("acme", probe(of, fault, "because"))
    return index


def test_ready() -> None:
    status = render(organization("acme", "a", "b", generation=7), mapping(organization("acme", "a", "b")), NOW)
    assert (status.observed_generation, status.namespaces, status.temporal_namespace_id) == (7, 2, "id-acme")


def test_the_mapped_one_is_ready() -> None:
    assert cells(render(ACME, mapping(ACME), NOW)) == {"Ready": "True/Ready"}


def test_nothing_is_said_of_readiness_before_temporal_was_asked() -> None:
    index = Mapping()
    index.put(ACME)
    assert render(ACME, index, NOW) == OrganizationStatus(observed_generation=1, namespaces=2)


def test_unknown_while_temporal_is_away_and_false_where_a_human_must_act() -> None:
    away, refused = faulty(Reason.TEMPORAL_UNAVAILABLE), faulty(Reason.TEMPORAL_REFUSED)
    assert cells(render(ACME, away, NOW)) == {"Ready": "Unknown/TemporalUnavailable"}
    assert cells(render(ACME, refused, NOW)) == {"Ready": "False/TemporalRefused", "Stalled": "True/TemporalRefused"}
    assert render(ACME, away, NOW).temporal_namespace_id is None


def test_a_contested_namespace_is_said_beside_readiness() -> None:
    status = render(ACME, mapping(ACME, RIVAL), NOW)
    assert cells(status) == {
        "Ready": "True/Ready",
        "NamespaceConflict": "True/NamespaceConflict",
        "Stalled": "True/NamespaceConflict",
    }
    assert {each.message.partition(":")[0] for each in status.conditions[1:]} == {"team-a is also listed by rival"}


def test_of_two_faults_the_one_that_denies_all_is_what_it_is_stalled_by() -> None:
    index = mapping(ACME, RIVAL)
    index.record_probe("acme", probe(ACME, Reason.TEMPORAL_REFUSED, "because"))
    stalled = render(ACME, index, NOW).conditions[2]
    assert (stalled.type, stalled.reason, stalled.message) == ("Stalled", "TemporalRefused", "because")


def test_the_transition_time_moves_with_the_status_only() -> None:
    then = render(ACME, mapping(ACME), THEN)
    old = ACME.model_copy(update={"status": then})
    same = render(old, mapping(old), NOW)
    gone = render(old, faulty(Reason.TEMPORAL_REFUSED, old), NOW)
    assert same == then
    assert gone.conditions[0].last_transition_time == NOW
