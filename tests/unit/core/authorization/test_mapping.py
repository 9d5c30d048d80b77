"""Which organization a namespace belongs to, and whether that Organization may be acted for."""

import pytest

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping, Probe
from execution_operator.core.reasons import Reason
from tests.support.builders import mapping, organization, probe

ACME, RIVAL = organization("acme"), organization("rival")


def names(index: Mapping, namespace: str) -> list[str]:
    return [each.metadata.name for each in index.claimants(namespace)]


def reason(index: Mapping, name: str) -> Reason | None:
    readiness = index.readiness(index.get(name) or ACME)
    return readiness.reason if readiness else None


# --- claims


def test_nobody_claims_what_nobody_lists() -> None:
    assert names(mapping(ACME), "team-z") == []


def test_two_that_list_one_namespace_both_claim_it() -> None:
    index = mapping(RIVAL, ACME)
    assert names(index, "team-a") == ["acme", "rival"]
    assert index.conflicting_claims(ACME) == {"team-a": ["rival"]}


def test_a_namespace_of_one_is_not_contested() -> None:
    assert mapping(ACME).conflicting_claims(ACME) == {}


def test_put_names_the_namespaces_gained_and_lost() -> None:
    index = mapping(organization("acme", "a", "b"))
    assert index.put(organization("acme", "b", "c")) == {"a", "b", "c"}
    assert (names(index, "a"), names(index, "c")) == ([], ["acme"])


def test_drop_gives_the_namespaces_free() -> None:
    index = mapping(ACME, RIVAL)
    assert index.drop("acme") == {"team-a"}
    assert names(index, "team-a") == ["rival"]
    assert (index.get("acme"), index.probe("acme"), index.conflicting_claims(RIVAL)) == (None, None, {})


def test_dropping_an_unknown_one_touches_nothing() -> None:
    assert mapping(ACME).drop("nobody") == set()


def test_iteration_shows_all_and_bears_changes_meanwhile() -> None:
    index = mapping(ACME, RIVAL)
    for each in index:
        index.drop(each.metadata.name)
    assert list(index) == []


# --- probes

CHANGES = [
    pytest.param(organization("acme", "team-x", generation=2), True, id="other namespaces"),
    pytest.param(organization("acme", ownership="Owner", generation=2), True, id="ownership"),
    pytest.param(organization("acme", temporal="elsewhere", generation=2), False, id="other Temporal namespace"),
    pytest.param(organization("acme", address="b:7233", generation=2), False, id="other address"),
    pytest.param(organization("acme", uid="another"), False, id="created anew"),
]


@pytest.mark.parametrize(("changed", "kept"), CHANGES)
def test_a_probe_outlives_only_changes_that_do_not_concern_it(changed: Organization, *, kept: bool) -> None:
    index = mapping(ACME)
    index.put(changed)
    assert (index.probe("acme") is not None) is kept


def test_a_probe_of_an_unknown_organization_is_forgotten() -> None:
    index = mapping()
    index.record_probe("acme", probe(ACME))
    assert index.probe("acme") is None


def test_nothing_is_decided_before_the_first_probe() -> None:
    index = Mapping()
    index.put(ACME)
    assert index.readiness(ACME) is None


# --- the same Temporal namespace

A, AWAY = "temporal:7233", Reason.TEMPORAL_UNAVAILABLE

SHARED = [
    pytest.param(Probe(A, "x", "1"), Probe("alias:7233", "y", "1"), True, id="the same id, whatever the address"),
    pytest.param(Probe(A, "x", "1"), Probe(A, "x", "2"), False, id="other ids, whatever the name"),
    pytest.param(Probe(A, "x"), Probe(A, "x"), True, id="no ids, the same address and name"),
    pytest.param(Probe(A, "x", "1"), Probe(A, "x"), True, id="one id, the same address and name"),
    pytest.param(Probe(A, "x", "1"), Probe("alias:7233", "x"), False, id="one id, another address"),
    pytest.param(Probe(A, "x"), Probe(A, "y"), False, id="no ids, another name"),
]

PERHAPS = [
    pytest.param(Probe("b:1", "x", fault=AWAY), True, id="away, the same name"),
    pytest.param(Probe("b:1", "y", fault=AWAY), False, id="away, another name"),
    pytest.param(Probe("b:1", "x", "2"), False, id="known"),
    pytest.param(Probe("b:1", "x", fault=Reason.TEMPORAL_NAMESPACE_NOT_FOUND), False, id="there is none"),
    pytest.param(Probe("b:1", "x", asked=False), True, id="not asked yet"),
    pytest.param(Probe("b:1", "x", "2", asked=False), False, id="not asked again yet, but known"),
]


@pytest.mark.parametrize(("one", "other", "shared"), SHARED)
def test_one_temporal_namespace(one: Probe, other: Probe, *, shared: bool) -> None:
    assert one.shares_with(other) is shared
    assert other.shares_with(one) is shared


@pytest.mark.parametrize(("other", "perhaps"), PERHAPS)
def test_perhaps_one_temporal_namespace(other: Probe, *, perhaps: bool) -> None:
    assert Probe(A, "x", "1").may_share_with(other) is perhaps


# --- readiness


def sharing(own: str | None, other: str | None, second: Probe | None = None) -> Mapping:
    """Two Organizations of different namespaces in the Temporal namespace `shared`."""
    one = organization("acme", "team-a", temporal="shared", ownership=own)
    two = organization("rival", "team-b", temporal="shared", ownership=other, address="alias:7233")
    index = mapping(one, two)
    if second is not None:
        index.record_probe("rival", second)
    return index


UNREACHED = Probe("alias:7233", "shared", fault=AWAY, message="down")

READINESS = [
    pytest.param(mapping(ACME, organization("rival", "team-b")), Reason.READY, Reason.READY, id="apart"),
    pytest.param(sharing("Owner", "Owner"), Reason.READY, Reason.READY, id="both with ownership"),
    pytest.param(
        sharing(None, "Owner"),
        Reason.TEMPORAL_NAMESPACE_SHARED,
        Reason.TEMPORAL_NAMESPACE_SHARED,
        id="one without: neither",
    ),
    pytest.param(sharing(None, None, UNREACHED), AWAY, AWAY, id="perhaps shared: waits"),
    pytest.param(sharing("Owner", None, UNREACHED), Reason.READY, AWAY, id="perhaps shared, but with ownership"),
]


@pytest.mark.parametrize(("index", "acme", "rival"), READINESS)
def test_who_may_be_acted_for(index: Mapping, acme: Reason, rival: Reason) -> None:
    assert (reason(index, "acme"), reason(index, "rival")) == (acme, rival)


def test_of_three_in_one_temporal_namespace_only_those_that_prove_alike_are_confused() -> None:
    one, two, three = (organization(name, temporal="shared", ownership="Owner") for name in ("acme", "rival", "third"))
    two = two.model_copy(
        update={"spec": organization("rival", temporal="shared", ownership="Owner", value="acme").spec}
    )
    index = mapping(one, two, three)
    shared = Reason.TEMPORAL_NAMESPACE_SHARED
    assert [reason(index, name) for name in ("acme", "rival", "third")] == [shared, shared, Reason.READY]


FAULTS = [
    pytest.param(Reason.TEMPORAL_UNAVAILABLE, True, id="away"),
    pytest.param(Reason.TEMPORAL_REFUSED, False, id="refused"),
    pytest.param(Reason.TEMPORAL_NAMESPACE_NOT_FOUND, False, id="no namespace"),
    pytest.param(Reason.SECRET_INVALID, False, id="secret"),
]


@pytest.mark.parametrize(("fault", "waiting"), FAULTS)
def test_a_fault_is_the_reason_and_only_absence_is_waited_for(fault: Reason, *, waiting: bool) -> None:
    index = mapping(ACME)
    index.record_probe("acme", probe(ACME, fault, "why"))
    readiness = index.readiness(ACME)
    assert readiness is not None
    assert (readiness.ready, readiness.reason, readiness.message, readiness.waiting) == (False, fault, "why", waiting)


UNASKED = Probe("alias:7233", "shared", asked=False)


@pytest.mark.parametrize(
    ("ownership", "decided"), [pytest.param(None, False, id="could share"), pytest.param("Owner", True, id="proven")]
)
def test_nothing_is_decided_while_one_that_could_share_was_not_asked(ownership: str | None, *, decided: bool) -> None:
    index = sharing(ownership, None, UNASKED)
    one = index.get("acme")
    assert one is not None
    assert (index.readiness(one) is not None) is decided


def test_an_answer_is_not_mixed_with_an_earlier_one() -> None:
    before = Probe(A, "x", "1")
    assert Probe(A, "x", fault=AWAY).with_known_id(before).namespace_id == "1"
    assert Probe(A, "x", "2").with_known_id(before).namespace_id == "2"
    assert Probe(A, "y", fault=AWAY).with_known_id(before).namespace_id == ""
    assert Probe(A, "x", fault=Reason.TEMPORAL_NAMESPACE_NOT_FOUND).with_known_id(before).namespace_id == ""


def test_sharing_is_said_before_a_fault_and_names_the_others() -> None:
    one, two = (organization(name, temporal="shared") for name in ("acme", "rival"))
    index = mapping(one, two)
    index.record_probe("acme", probe(one, AWAY))
    readiness = index.readiness(one)
    assert readiness is not None
    assert readiness.reason is Reason.TEMPORAL_NAMESPACE_SHARED
    assert "rival" in readiness.message


def test_one_that_is_ready_says_where() -> None:
    readiness = mapping(ACME).readiness(ACME)
    assert readiness is not None
    assert (readiness.ready, readiness.message) == (True, "Temporal namespace acme at temporal:7233 answers")


@pytest.mark.parametrize("fault", [Reason.TEMPORAL_REFUSED, Reason.SECRET_INVALID])
def test_an_alias_whose_credentials_are_broken_could_share_too(fault: Reason) -> None:
    index = sharing(None, None, Probe("alias:7233", "shared", fault=fault))
    assert reason(index, "acme") is not Reason.READY


# --- neighbours


def test_neighbours_claim_or_use_what_it_does() -> None:
    index = mapping(
        organization("acme", "team-a", temporal="shared"),
        organization("claims", "team-a", temporal="own"),
        organization("uses", "team-b", temporal="shared"),
        organization("stranger", "team-c", temporal="other"),
    )
    assert index.affected_organizations("acme") == {"claims", "uses"}


def test_an_alias_is_a_neighbour_and_so_is_a_namesake_elsewhere() -> None:
    one, two, three = (
        organization("acme", "a", temporal="x"),
        organization("alias", "b", temporal="y"),
        organization("namesake", "c", temporal="x", address="other:7233"),
    )
    index = mapping(one, two, three)
    index.record_probe("alias", probe(two, identifier="id-x"))
    index.record_probe("namesake", probe(three, AWAY))
    assert index.affected_organizations("acme") == {"alias", "namesake"}


def test_an_unprobed_one_has_the_neighbours_that_its_claims_make() -> None:
    index = mapping(RIVAL)
    index.put(ACME)
    assert index.affected_organizations("acme") == {"rival"}


def test_an_unknown_one_has_none() -> None:
    assert mapping(ACME).affected_organizations("nobody") == set()
