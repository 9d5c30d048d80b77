"""The status of an Organization, from the mapping."""

from execution_operator.api import Condition, ConditionStatus, Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.status.conditions import build_condition

Cell = tuple[Type, ConditionStatus, str, str]


def render(organization: Organization, mapping: Mapping, now: str) -> OrganizationStatus:
    """Compute the status that the mapping calls for; `now` (RFC 3339) stamps transitions only."""
    probe = mapping.probe(organization.metadata.name)
    ready, conflicting_claims = _ready(organization, mapping), _contested(organization, mapping)
    cells = [cell for cell in (ready, conflicting_claims, _stalled(ready, conflicting_claims)) if cell is not None]
    return OrganizationStatus(
        observed_generation=organization.metadata.generation,
        namespaces=len(organization.spec.namespaces),
        temporal_namespace_id=probe.namespace_id or None if probe else None,
        conditions=[_condition(organization, cell, now) for cell in cells],
    )


def _ready(organization: Organization, mapping: Mapping) -> Cell | None:
    readiness = mapping.readiness(organization)
    if readiness is None:
        return None
    failing = ConditionStatus.UNKNOWN if readiness.waiting else ConditionStatus.FALSE
    return Type.READY, ConditionStatus.TRUE if readiness.ready else failing, readiness.reason, readiness.message


def _contested(organization: Organization, mapping: Mapping) -> Cell | None:
    conflicting_claims = mapping.conflicting_claims(organization)
    if not conflicting_claims:
        return None
    claims = "; ".join(
        f"{namespace} is also listed by {', '.join(names)}" for namespace, names in conflicting_claims.items()
    )
    message = f"{claims}: a namespace that two list belongs to neither"
    return Type.NAMESPACE_CONFLICT, ConditionStatus.TRUE, Reason.NAMESPACE_CONFLICT, message


def _stalled(ready: Cell | None, conflicting_claims: Cell | None) -> Cell | None:
    """Return the first thing that waits for a human; what mends itself once Temporal answers does not."""
    if ready is not None and ready[1] is ConditionStatus.FALSE:
        return Type.STALLED, ConditionStatus.TRUE, *ready[2:]
    return (Type.STALLED, *conflicting_claims[1:]) if conflicting_claims is not None else None


def _condition(organization: Organization, cell: Cell, now: str) -> Condition:
    of, status, reason, message = cell
    old = organization.status.condition(of)
    return build_condition(old, of, (status, reason, message), organization.metadata.generation, now)
