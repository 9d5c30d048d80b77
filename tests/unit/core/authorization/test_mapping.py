"""The index of Organizations: claims of namespaces, probes, readiness."""

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


def test_a_namespace_that_no_organization_lists_has_no_claimant() -> None:
    assert names(mapping(ACME), "team-z") == []


def test_two_organizations_that_list_a_namespace_are_both_claimants() -> None:
    index = mapping(RIVAL, ACME)
    assert names(index, "team-a") == ["acme", "rival"]
    assert index.conflicting_claims(ACME) == {"team-a": ["rival"]}


def test_a_namespace_of_one_organization_has_no_conflicting_claims() -> None:
    assert mapping(ACME).conflicting_claims(ACME) == {}


def test_put_returns_the_namespaces_gained_and_lost() -> None:
    index = mapping(organization("acme", "a", "b"))
    assert index.put(organization("acme", "b", "c")) == {"a", "b", "c"}
    assert (names(index, "a"), names(index, "c")) == ([], ["acme"])


def test_drop_removes_the_claims() -> None:
    index = mapping(ACME, RIVAL)
    assert index.drop("acme") == {"team-a"}
    assert names(index, "team-a") == ["rival"]
    assert (index.get("acme"), index.probe("acme"), index.conflicting_claims(RIVAL)) == (None, None, {})


def test_dropping_an_unknown_organization_changes_nothing() -> None:
    assert mapping(ACME).drop("nobody") == set()


def test_organizations_can_be_dropped_during_iteration() -> None:
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
    pytest.param(organization("acme", uid="another"), False, id="recreated"),
]


@pytest.mark.parametrize(("changed", "kept"), CHANGES)
def test_a_probe_is_kept_unless_the_uid_or_the_temporal_settings_change(changed: Organization, *, kept: bool) -> None:
    index = mapping(ACME)
    index.put(changed)
    assert (index.probe("acme") is not None) is kept


def test_a_probe_of_an_unknown_organization_is_ignored() -> None:
    index = mapping()
    index.record_probe("acme", probe(ACME))
    assert index.probe("acme") is None


def test_readiness_is_undecided_before_the_first_probe() -> None:
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

MAY_SHARE = [
    pytest.param(Probe("b:1", "x", fault=AWAY), True, id="away, the same name"),
    pytest.param(Probe("b:1", "y", fault=AWAY), False, id="away, another name"),
    pytest.param(Probe("b:1", "x", "2"), False, id="known"),
    pytest.param(Probe("b:1", "x", fault=Reason.TEMPORAL_NAMESPACE_NOT_FOUND), False, id="there is none"),
    pytest.param(Probe("b:1", "x", asked=False), True, id="not asked yet"),
    pytest.param(Probe("b:1", "x", "2", asked=False), False, id="not asked again yet, but known"),
]


@pytest.mark.parametrize(("one", "other", "shared"), SHARED)
def test_probes_share_a_temporal_namespace_by_id_or_by_address_and_name(
    one: Probe, other: Probe, *, shared: bool
) -> None:
    assert one.shares_with(other) is shared
    assert other.shares_with(one) is shared


@pytest.mark.parametrize(("other", "may_share"), MAY_SHARE)
def test_probes_may_share_a_temporal_namespace_of_the_same_name_while_an_id_is_unknown(
    other: Probe, *, may_share: bool
) -> None:
    assert Probe(A, "x", "1").may_share_with(other) is may_share


# --- readiness


def sharing(own: str | None, other: str | None, second: Probe | None = None) -> Mapping:
    """Return two Organizations with different namespaces, both in the Temporal namespace `shared`."""
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
def test_readiness_of_two_organizations(index: Mapping, acme: Reason, rival: Reason) -> None:
    assert (reason(index, "acme"), reason(index, "rival")) == (acme, rival)


def test_only_organizations_with_the_same_proof_conflict_in_a_shared_temporal_namespace() -> None:
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
def test_a_fault_is_the_reason_and_only_an_unavailable_temporal_is_waited_for(fault: Reason, *, waiting: bool) -> None:
    index = mapping(ACME)
    index.record_probe("acme", probe(ACME, fault, "why"))
    readiness = index.readiness(ACME)
    assert readiness is not None
    assert (readiness.ready, readiness.reason, readiness.message, readiness.waiting) == (False, fault, "why", waiting)


UNASKED = Probe("alias:7233", "shared", asked=False)


@pytest.mark.parametrize(
    ("ownership", "decided"), [pytest.param(None, False, id="could share"), pytest.param("Owner", True, id="proven")]
)
def test_readiness_is_undecided_while_an_organization_that_may_share_was_not_probed(
    ownership: str | None, *, decided: bool
) -> None:
    index = sharing(ownership, None, UNASKED)
    one = index.get("acme")
    assert one is not None
    assert (index.readiness(one) is not None) is decided


def test_an_earlier_id_is_kept_only_without_a_new_answer() -> None:
    before = Probe(A, "x", "1")
    assert Probe(A, "x", fault=AWAY).with_known_id(before).namespace_id == "1"
    assert Probe(A, "x", "2").with_known_id(before).namespace_id == "2"
    assert Probe(A, "y", fault=AWAY).with_known_id(before).namespace_id == ""
    assert Probe(A, "x", fault=Reason.TEMPORAL_NAMESPACE_NOT_FOUND).with_known_id(before).namespace_id == ""


def test_a_shared_temporal_namespace_is_reported_before_a_fault_and_names_the_others() -> None:
    one, two = (organization(name, temporal="shared") for name in ("acme", "rival"))
    index = mapping(one, two)
    index.record_probe("acme", probe(one, AWAY))
    readiness = index.readiness(one)
    assert readiness is not None
    assert readiness.reason is Reason.TEMPORAL_NAMESPACE_SHARED
    assert "rival" in readiness.message


def test_the_message_of_a_ready_organization_names_its_temporal_namespace() -> None:
    readiness = mapping(ACME).readiness(ACME)
    assert readiness is not None
    assert (readiness.ready, readiness.message) == (True, "Temporal namespace acme at temporal:7233 answers")


@pytest.mark.parametrize("fault", [Reason.TEMPORAL_REFUSED, Reason.SECRET_INVALID])
def test_an_organization_with_refused_credentials_may_share_a_temporal_namespace(fault: Reason) -> None:
    index = sharing(None, None, Probe("alias:7233", "shared", fault=fault))
    assert reason(index, "acme") is not Reason.READY


# --- affected organizations


def test_organizations_with_the_same_namespace_or_temporal_namespace_are_affected() -> None:
    index = mapping(
        organization("acme", "team-a", temporal="shared"),
        organization("claims", "team-a", temporal="own"),
        organization("uses", "team-b", temporal="shared"),
        organization("stranger", "team-c", temporal="other"),
    )
    assert index.affected_organizations("acme") == {"claims", "uses"}


def test_the_same_temporal_id_or_the_same_temporal_name_affects_an_organization() -> None:
    one, two, three = (
        organization("acme", "a", temporal="x"),
        organization("alias", "b", temporal="y"),
        organization("namesake", "c", temporal="x", address="other:7233"),
    )
    index = mapping(one, two, three)
    index.record_probe("alias", probe(two, identifier="id-x"))
    index.record_probe("namesake", probe(three, AWAY))
    assert index.affected_organizations("acme") == {"alias", "namesake"}


def test_an_unprobed_organization_affects_those_that_list_its_namespaces() -> None:
    index = mapping(RIVAL)
    index.put(ACME)
    assert index.affected_organizations("acme") == {"rival"}


def test_an_unknown_organization_affects_none() -> None:
    assert mapping(ACME).affected_organizations("nobody") == set()
