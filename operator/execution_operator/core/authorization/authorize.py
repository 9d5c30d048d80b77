"""Authorization: whether an Execution may be acted on, and for which Organization. An ordered chain without I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from execution_operator.api import Execution, ExecutionSpec, ExecutionStatus, ObjectMeta, Organization, OwnershipProof
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.authorization.ownership import required_proof
from execution_operator.core.reasons import Reason


@dataclass(frozen=True)
class ResolvedTarget:
    """The Organization and the Temporal namespace of an Execution.

    They are recorded in the status together with the pinned run. Every later authorization compares them with what the
    mapping says then.

    Attributes:
        organization: Name of the Organization.
        organization_uid: UID of the Organization.
        temporal_namespace: Name of the Temporal namespace.
        ownership: The proof that the Organization requires of its workflows; None if it requires none. A run that is
            recorded as open or closed for this target has given the proof.
    """

    organization: str
    organization_uid: str
    temporal_namespace: str
    ownership: OwnershipProof | None = None


@dataclass(frozen=True)
class Grant:
    """The Execution may be acted on, for this Organization, in this Temporal namespace."""

    organization: Organization
    temporal_namespace: str

    @property
    def target(self) -> ResolvedTarget:
        """The part of the grant that is recorded in the status."""
        meta = self.organization.metadata
        return ResolvedTarget(meta.name, meta.uid, self.temporal_namespace, required_proof(self.organization))

    def holds(self, now: "Grant | Decision") -> bool:
        """Whether a later decision grants the same: the Organization has the same UID and the same spec."""
        if not isinstance(now, Grant) or now.temporal_namespace != self.temporal_namespace:
            return False
        old, new = self.organization, now.organization
        return (old.metadata.uid, old.spec) == (new.metadata.uid, new.spec)


@dataclass(frozen=True)
class Denied:
    """The Execution may not be acted on until a human changes something."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Failing:
    """The attempt failed and is repeated: authorization could not be decided, or a call to Temporal failed.

    Attributes:
        reason: Why it failed.
        message: The same for people.
        temporal_called: Whether this attempt called Temporal. If not, the Organization's Temporal is unavailable: the
            controller of Organizations probes it, and requeues the Execution when Temporal answers.
    """

    reason: Reason
    message: str
    temporal_called: bool = True


@dataclass(frozen=True)
class Undecided:
    """The Organization's Temporal has not been probed yet: nothing is decided, and nothing is written."""


Decision = Denied | Failing | Undecided
"""The reasons why there is no grant."""


@dataclass(frozen=True)
class _Case:
    """The input of the checks."""

    execution: Execution
    mapping: Mapping
    claimants: list[Organization]

    @property
    def organization(self) -> Organization:
        """The one Organization that lists the namespace. Valid after the first two checks have passed."""
        return self.claimants[0]

    @property
    def temporal_namespace(self) -> str:
        probe = self.mapping.probe(self.organization.metadata.name)
        return probe.namespace if probe else ""


def _namespace_not_mapped(case: _Case) -> Denied | None:
    if case.claimants:
        return None
    namespace = case.execution.metadata.namespace
    return Denied(
        Reason.NAMESPACE_NOT_MAPPED,
        f"no Organization lists namespace {namespace}: add it to spec.namespaces of the Organization that owns it",
    )


def _namespace_conflict(case: _Case) -> Denied | None:
    if len(case.claimants) == 1:
        return None
    names = ", ".join(organization.metadata.name for organization in case.claimants)
    return Denied(
        Reason.NAMESPACE_CONFLICT,
        f"namespace {case.execution.metadata.namespace} is listed by {names}: "
        "remove it from spec.namespaces of all Organizations but one",
    )


def _recorded_organization_differs(case: _Case) -> Denied | None:
    recorded, now = case.execution.status.organization, case.organization.metadata.name
    if recorded in (None, now):
        return None
    return Denied(
        Reason.ORGANIZATION_MISMATCH,
        f"the Execution was recorded for organization {recorded}, but its namespace belongs to {now} now: "
        f"give the namespace back to {recorded}, or create a new Execution",
    )


def _recorded_organization_was_recreated(case: _Case) -> Denied | None:
    recorded, meta = case.execution.status.organization_uid, case.organization.metadata
    if recorded in (None, meta.uid):
        return None
    return Denied(
        Reason.ORGANIZATION_MISMATCH,
        f"the Execution was recorded for an Organization {meta.name} that was deleted, "
        f"and the Organization {meta.name} that exists now is another one: create a new Execution",
    )


def _organization_not_ready(case: _Case) -> Decision | None:
    readiness = case.mapping.readiness(case.organization)
    if readiness is None:
        return Undecided()
    if readiness.ready:
        return None
    message = f"organization {case.organization.metadata.name}: {readiness.message}"
    if readiness.waiting:
        return Failing(Reason.TEMPORAL_UNAVAILABLE, message, temporal_called=False)
    return Denied(Reason.ORGANIZATION_NOT_READY, message)


def _recorded_temporal_namespace_differs(case: _Case) -> Denied | None:
    recorded, now = case.execution.status.temporal_namespace, case.temporal_namespace
    if recorded in (None, now):
        return None
    return Denied(
        Reason.ORGANIZATION_MISMATCH,
        f"the Execution was recorded in Temporal namespace {recorded}, "
        f"but organization {case.organization.metadata.name} uses {now} now: create a new Execution",
    )


CHECKS: tuple[Callable[[_Case], Decision | None], ...] = (
    _namespace_not_mapped,  # default deny
    _namespace_conflict,  # a namespace with two owners has none
    _recorded_organization_differs,  # an Execution never moves silently to another Organization
    _recorded_organization_was_recreated,  # nor to a new Organization of the same name
    _organization_not_ready,  # denied if a human must act, retried if only Temporal must answer
    _recorded_temporal_namespace_differs,  # nor to another Temporal namespace
)
"""The checks in their order, each named for the state that it finds. The first that finds its state decides."""


def authorize(execution: Execution, mapping: Mapping) -> Grant | Decision:
    """Run the checks in their order. The first that finds something decides; if none does, the result is a Grant."""
    case = _Case(execution, mapping, mapping.claimants(execution.metadata.namespace))
    found = next((decision for check in CHECKS if (decision := check(case)) is not None), None)
    return found or Grant(case.organization, case.temporal_namespace)


def expected_denial(namespace: str, organization: str, mapping: Mapping) -> str | None:
    """Predict why Executions of a namespace that are recorded for an organization are denied.

    The prediction needs no Execution. A single Execution may differ from it, by the UID or the Temporal namespace that
    it records, or by the proof of ownership that its workflow shows.

    Args:
        namespace: Namespace of the Executions.
        organization: Name of the recorded Organization; empty if none is recorded.
        mapping: The Organizations.

    Returns:
        The reason of the denial; empty if the Executions are not denied; None if that can't be decided now.
    """
    status = ExecutionStatus(organization=organization or None)
    sample = Execution(metadata=ObjectMeta(namespace=namespace), spec=ExecutionSpec(execution_id="any"), status=status)
    match authorize(sample, mapping):
        case Denied(reason=reason):
            return reason
        case Grant():
            return ""
        case _:
            return None
