"""The status of an Organization, computed from the mapping."""

from execution_operator.api import Condition, ConditionStatus, Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason, Type
from execution_operator.core.status.conditions import ConditionContent, build_condition


def render(organization: Organization, mapping: Mapping, now: str) -> OrganizationStatus:
    """Compute the status of an Organization.

    Args:
        organization: The Organization with its old status.
        mapping: All Organizations and their probes.
        now: The current time (RFC 3339), for conditions whose status changes.
    """
    probe = mapping.probe(organization.metadata.name)
    ready, conflict = _ready(organization, mapping), _namespace_conflict(organization, mapping)
    contents = {Type.READY: ready, Type.NAMESPACE_CONFLICT: conflict, Type.STALLED: _stalled(ready, conflict)}
    return OrganizationStatus(
        observed_generation=organization.metadata.generation,
        namespaces=len(organization.spec.namespaces),
        temporal_namespace_id=probe.namespace_id or None if probe else None,
        conditions=[
            _condition(organization, of, content, now) for of, content in contents.items() if content is not None
        ],
    )


def _ready(organization: Organization, mapping: Mapping) -> ConditionContent | None:
    """Return the readiness; None while Temporal has not been called yet."""
    readiness = mapping.readiness(organization)
    if readiness is None:
        return None
    not_ready = ConditionStatus.UNKNOWN if readiness.waiting else ConditionStatus.FALSE
    status = ConditionStatus.TRUE if readiness.ready else not_ready
    return ConditionContent(status, readiness.reason, readiness.message)


def _namespace_conflict(organization: Organization, mapping: Mapping) -> ConditionContent | None:
    claims = mapping.conflicting_claims(organization)
    if not claims:
        return None
    listed = "; ".join(f"{namespace} is also listed by {', '.join(names)}" for namespace, names in claims.items())
    message = f"{listed}: such a namespace belongs to no Organization; let only one of them list it"
    return ConditionContent(ConditionStatus.TRUE, Reason.NAMESPACE_CONFLICT, message)


def _stalled(ready: ConditionContent | None, conflict: ConditionContent | None) -> ConditionContent | None:
    """Return the first condition that waits for a human. One that waits for an answer of Temporal does not."""
    if ready is not None and ready.status is ConditionStatus.FALSE:
        return ready._replace(status=ConditionStatus.TRUE)
    return conflict


def _condition(organization: Organization, of: Type, content: ConditionContent, now: str) -> Condition:
    old = organization.status.condition(of)
    return build_condition(old, of, content, organization.metadata.generation, now)
