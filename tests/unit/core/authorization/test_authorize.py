"""The chain of authorization: each check, and their order."""

import pytest

from execution_operator.api import Execution, ExecutionStatus
from execution_operator.core.authorization.authorize import (
    CHECKS,
    Decision,
    Denied,
    Failing,
    Grant,
    Undecided,
    authorize,
)
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason
from tests.support.builders import execution, mapping, organization, probe

ACME, RIVAL = organization("acme"), organization("rival")
ELSEWHERE = organization("rival", "team-b")


def unprobed() -> Mapping:
    index = Mapping()
    index.put(ACME)
    return index


def with_fault(fault: Reason) -> Mapping:
    index = mapping(ACME)
    index.record_probe("acme", probe(ACME, fault, "because"))
    return index


def recorded(*, by: str | None = None, uid: str | None = None, temporal: str | None = None) -> Execution:
    status = ExecutionStatus(organization=by, organization_uid=uid, temporal_namespace=temporal)
    return execution("stop", status=status)


UNMAPPED, CONFLICTED = mapping(ELSEWHERE), mapping(RIVAL, ACME)
AWAY, REFUSED = with_fault(Reason.TEMPORAL_UNAVAILABLE), with_fault(Reason.TEMPORAL_REFUSED)

CHAIN = [
    pytest.param(recorded(), mapping(ACME), None, "", id="mapped and ready"),
    pytest.param(recorded(by="acme", temporal="acme"), mapping(ACME), None, "", id="as recorded"),
    pytest.param(
        recorded(),
        mapping(),
        Reason.NAMESPACE_NOT_MAPPED,
        "no Organization lists namespace team-a",
        id="no Organizations",
    ),
    pytest.param(recorded(), UNMAPPED, Reason.NAMESPACE_NOT_MAPPED, "namespace team-a", id="not listed"),
    pytest.param(recorded(), CONFLICTED, Reason.NAMESPACE_CONFLICT, "listed by acme, rival", id="listed by two"),
    pytest.param(
        recorded(by="rival"),
        mapping(ACME),
        Reason.ORGANIZATION_MISMATCH,
        "recorded for organization rival",
        id="the namespace moved",
    ),
    pytest.param(
        recorded(by="acme", uid="of-another"),
        mapping(ACME),
        Reason.ORGANIZATION_MISMATCH,
        "is another",
        id="recreated Organization",
    ),
    pytest.param(recorded(), unprobed(), None, "", id="Temporal not called yet"),
    pytest.param(
        recorded(), AWAY, Reason.TEMPORAL_UNAVAILABLE, "organization acme: because", id="Temporal unavailable"
    ),
    pytest.param(
        recorded(), REFUSED, Reason.ORGANIZATION_NOT_READY, "organization acme: because", id="Temporal refuses"
    ),
    pytest.param(
        recorded(temporal="old"),
        mapping(ACME),
        Reason.ORGANIZATION_MISMATCH,
        "Temporal namespace old",
        id="another Temporal namespace",
    ),
]

ORDER = [
    pytest.param(recorded(by="rival"), UNMAPPED, Reason.NAMESPACE_NOT_MAPPED, id="not mapped before mismatch"),
    pytest.param(recorded(by="other"), CONFLICTED, Reason.NAMESPACE_CONFLICT, id="conflict before mismatch"),
    pytest.param(recorded(by="rival"), REFUSED, Reason.ORGANIZATION_MISMATCH, id="mismatch before readiness"),
    pytest.param(recorded(by="rival"), AWAY, Reason.ORGANIZATION_MISMATCH, id="mismatch before waiting"),
    pytest.param(recorded(by="rival"), unprobed(), Reason.ORGANIZATION_MISMATCH, id="mismatch before undecided"),
    pytest.param(
        recorded(by="acme", uid="of-another"), REFUSED, Reason.ORGANIZATION_MISMATCH, id="recreation before readiness"
    ),
    pytest.param(recorded(temporal="old"), REFUSED, Reason.ORGANIZATION_NOT_READY, id="readiness before the namespace"),
    pytest.param(recorded(temporal="old"), AWAY, Reason.TEMPORAL_UNAVAILABLE, id="waiting before the namespace"),
]


def reason_of(decision: Grant | Decision) -> Reason | None:
    return decision.reason if isinstance(decision, Denied | Failing) else None


@pytest.mark.parametrize(("asked", "index", "reason", "message"), CHAIN)
def test_each_check_finds_its_state(asked: Execution, index: Mapping, reason: Reason | None, message: str) -> None:
    decision = authorize(asked, index)
    assert reason_of(decision) == reason
    assert message in (decision.message if isinstance(decision, Denied | Failing) else "")


@pytest.mark.parametrize(("asked", "index", "reason"), ORDER)
def test_the_earlier_check_decides(asked: Execution, index: Mapping, reason: Reason) -> None:
    assert reason_of(authorize(asked, index)) is reason


def test_a_grant_names_the_organization_and_its_temporal_namespace() -> None:
    decision = authorize(execution(), mapping(organization("acme", temporal="production")))
    assert isinstance(decision, Grant)
    assert (decision.organization.metadata.name, decision.temporal_namespace) == ("acme", "production")


def test_only_an_unavailable_temporal_is_retried() -> None:
    assert isinstance(authorize(execution(), AWAY), Failing)
    assert isinstance(authorize(execution(), REFUSED), Denied)
    assert authorize(execution(), unprobed()) == Undecided()


def test_nothing_is_decided_before_temporal_was_called_whatever_is_recorded() -> None:
    assert authorize(recorded(temporal="old"), unprobed()) == Undecided()


def test_the_chain_has_exactly_these_checks() -> None:
    assert [check.__name__ for check in CHECKS] == [
        "_namespace_not_mapped",
        "_namespace_conflict",
        "_recorded_organization_differs",
        "_recorded_organization_was_recreated",
        "_organization_not_ready",
        "_recorded_temporal_namespace_differs",
    ]


LATER = [
    pytest.param(mapping(ACME), True, id="the same"),
    pytest.param(mapping(organization("acme", generation=2)), True, id="written again, not changed"),
    pytest.param(mapping(organization("acme", uid="anew")), False, id="recreated"),
    pytest.param(mapping(organization("acme", ownership="Owner")), False, id="other proof"),
    pytest.param(mapping(organization("acme", temporal="elsewhere")), False, id="other Temporal namespace"),
    pytest.param(mapping(), False, id="no grant"),
]


@pytest.mark.parametrize(("index", "holds"), LATER)
def test_a_grant_holds_until_the_organization_or_its_spec_changes(index: Mapping, *, holds: bool) -> None:
    grant = authorize(execution(), mapping(ACME))
    assert isinstance(grant, Grant)
    assert grant.holds(authorize(execution(), index)) is holds
