"""May this Execution be acted on, and for which Organization? An ordered chain of checks, without I/O."""

from collections.abc import Callable
from dataclasses import dataclass

from execution_operator.api import Execution, ExecutionSpec, ExecutionStatus, ObjectMeta, Organization, OwnershipProof
from execution_operator.core.authorization import ownership
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.reasons import Reason


@dataclass(frozen=True)
class ResolvedTarget:
    """Where an Execution was resolved: recorded with the pin, and held against every later mapping.

    `ownership` is the proof that the organization asks for: a run that is pinned or closed there has given it.
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
        """What is recorded of it."""
        meta = self.organization.metadata
        return ResolvedTarget(meta.name, meta.uid, self.temporal_namespace, ownership.required_proof(self.organization))

    def holds(self, now: "Grant | Decision") -> bool:
        """Whether a later decision still grants the same."""
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
    """No decision could be had, or the act did not come through: it is tried again.

    `asked`: Temporal was. If not, the Organization's Temporal is looked after elsewhere, and the Execution is woken.
    """

    reason: Reason
    message: str
    asked: bool = True


@dataclass(frozen=True)
class Undecided:
    """The Organization's Temporal has not been asked yet: nothing is decided, nothing written."""


Decision = Denied | Failing | Undecided
"""Why there is no grant."""


@dataclass(frozen=True)
class _Case:
    execution: Execution
    mapping: Mapping
    claimants: list[Organization]

    @property
    def organization(self) -> Organization:
        """The one Organization, once the first two checks have passed."""
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
        f"no Organization lists namespace {namespace}: add it to spec.namespaces of the one that it belongs to",
    )


def _namespace_conflict(case: _Case) -> Denied | None:
    if len(case.claimants) == 1:
        return None
    names = ", ".join(organization.metadata.name for organization in case.claimants)
    return Denied(
        Reason.NAMESPACE_CONFLICT,
        f"namespace {case.execution.metadata.namespace} is listed by {names}: it must be listed by one only",
    )


def _recorded_organization_differs(case: _Case) -> Denied | None:
    recorded, now = case.execution.status.organization, case.organization.metadata.name
    if recorded in (None, now):
        return None
    return Denied(
        Reason.ORGANIZATION_MISMATCH,
        f"recorded for organization {recorded}, but the namespace belongs to {now} now: "
        "give the namespace back, or create a new Execution",
    )


def _organization_is_a_namesake(case: _Case) -> Denied | None:
    recorded, meta = case.execution.status.organization_uid, case.organization.metadata
    if recorded in (None, meta.uid):
        return None
    return Denied(
        Reason.ORGANIZATION_MISMATCH,
        f"recorded for an organization {meta.name} that was deleted since, and the {meta.name} of now is another: "
        "create a new Execution",
    )


def _organization_not_ready(case: _Case) -> Decision | None:
    readiness = case.mapping.readiness(case.organization)
    if readiness is None:
        return Undecided()
    if readiness.ready:
        return None
    message = f"organization {case.organization.metadata.name}: {readiness.message}"
    if readiness.waiting:
        return Failing(Reason.TEMPORAL_UNAVAILABLE, message, asked=False)
    return Denied(Reason.ORGANIZATION_NOT_READY, message)


def _recorded_temporal_namespace_differs(case: _Case) -> Denied | None:
    recorded, now = case.execution.status.temporal_namespace, case.temporal_namespace
    if recorded in (None, now):
        return None
    return Denied(
        Reason.ORGANIZATION_MISMATCH,
        f"recorded in Temporal namespace {recorded}, but organization {case.organization.metadata.name} "
        f"uses {now} now: create a new Execution",
    )


CHECKS: tuple[Callable[[_Case], Decision | None], ...] = (
    _namespace_not_mapped,  # default deny
    _namespace_conflict,  # two owners are none
    _recorded_organization_differs,  # never a silent switch of tenant
    _organization_is_a_namesake,  # nor by one of the same name
    _organization_not_ready,  # fail closed on what only a human can mend, wait for what mends itself
    _recorded_temporal_namespace_differs,  # nor a silent switch of Temporal namespace
)


def authorize(execution: Execution, mapping: Mapping) -> Grant | Decision:
    """Run the checks in their order; the first that finds something decides."""
    case = _Case(execution, mapping, mapping.claimants(execution.metadata.namespace))
    found = next((denial for check in CHECKS if (denial := check(case)) is not None), None)
    return found or Grant(case.organization, case.temporal_namespace)


def expected_denial(namespace: str, organization: str, mapping: Mapping) -> str | None:
    """Return why Executions of a namespace that are recorded for an organization are denied; empty if they are not.

    None where nothing is to be said of them now. For some of them it may be otherwise: by what else they record, or by
    what their workflow shows.
    """
    status = ExecutionStatus(organization=organization or None)
    any_one = Execution(metadata=ObjectMeta(namespace=namespace), spec=ExecutionSpec(execution_id="any"), status=status)
    match authorize(any_one, mapping):
        case Denied(reason=reason):
            return reason
        case Grant():
            return ""
        case _:
            return None
