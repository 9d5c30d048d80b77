"""The Organizations: which of them a namespace belongs to, and whether an Organization is ready.

Default deny: a namespace that no Organization lists belongs to none, and so does one that several list.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from execution_operator.api import Organization, Temporal
from execution_operator.core.authorization.ownership import required_proof
from execution_operator.core.reasons import Reason


@dataclass(frozen=True)
class Probe:
    """The result of the last probe of an Organization's Temporal namespace.

    Attributes:
        address: host:port of the Temporal server.
        namespace: Name of the Temporal namespace.
        namespace_id: Temporal's own id of the namespace; empty if there was no answer.
        fault: Why the namespace can't be used; None if it can.
        message: The fault for people.
        asked: Whether Temporal has been called at all.
    """

    address: str
    namespace: str
    namespace_id: str = ""
    fault: Reason | None = None
    message: str = ""
    asked: bool = True

    @property
    def decisive_fields(self) -> tuple[bool, Reason | None, str]:
        """The fields that decisions depend on. The message is not among them."""
        return self.asked, self.fault, self.namespace_id

    def with_known_id(self, before: "Probe") -> "Probe":
        """Return this probe; if it got no answer about the namespace, with the id that an earlier probe found."""
        same = (self.address, self.namespace) == (before.address, before.namespace)
        answered = self.fault in (None, Reason.TEMPORAL_NAMESPACE_NOT_FOUND)
        return replace(self, namespace_id=before.namespace_id) if same and not answered else self

    def shares_with(self, other: "Probe") -> bool:
        """Whether both use one Temporal namespace: by id if both ids are known, else by address and name."""
        if self.namespace_id and other.namespace_id:
            return self.namespace_id == other.namespace_id
        return (self.address, self.namespace) == (other.address, other.namespace)

    def may_share_with(self, other: "Probe") -> bool:
        """Whether both may use one Temporal namespace: the other's id is unknown, and the names are equal."""
        unknown = not other.namespace_id and other.fault is not Reason.TEMPORAL_NAMESPACE_NOT_FOUND
        return unknown and self.namespace == other.namespace


@dataclass(frozen=True)
class Readiness:
    """Whether an Organization is ready: yes, no (a human must act) or unknown (Temporal does not answer)."""

    ready: bool
    reason: Reason
    message: str

    @property
    def waiting(self) -> bool:
        """Whether an answer of Temporal is all that is missing."""
        return self.reason is Reason.TEMPORAL_UNAVAILABLE


class Mapping:
    """The index of Organizations by name and by namespace. The controller of Organizations keeps it up to date."""

    def __init__(self) -> None:
        self._organizations: dict[str, Organization] = {}
        self._claims: defaultdict[str, set[str]] = defaultdict(set)
        self._probes: dict[str, Probe] = {}

    def __iter__(self) -> Iterator[Organization]:
        return iter(tuple(self._organizations.values()))

    def put(self, organization: Organization) -> set[str]:
        """Add or replace an Organization; return the namespaces whose owner may have changed."""
        name = organization.metadata.name
        old = self._organizations.get(name)
        touched = self._unclaim(name)
        if old is not None and _probe_key(old) != _probe_key(organization):
            self._probes.pop(name, None)
        self._organizations[name] = organization
        for namespace in organization.spec.namespaces:
            self._claims[namespace].add(name)
        return touched.union(organization.spec.namespaces)

    def drop(self, name: str) -> set[str]:
        """Remove an Organization; return the namespaces whose owner may have changed."""
        touched = self._unclaim(name)
        self._organizations.pop(name, None)
        self._probes.pop(name, None)
        return touched

    def record_probe(self, name: str, probe: Probe) -> None:
        """Keep the result of a probe; one of an unknown Organization is ignored."""
        if name in self._organizations:
            self._probes[name] = probe

    def get(self, name: str) -> Organization | None:
        """Return the Organization of this name, or None if there is none."""
        return self._organizations.get(name)

    def probe(self, name: str) -> Probe | None:
        """Return the last probe of the Organization's Temporal namespace, or None if there was none."""
        return self._probes.get(name)

    def claimants(self, namespace: str) -> list[Organization]:
        """Return the Organizations that list the namespace, sorted by name."""
        return [self._organizations[name] for name in sorted(self._claims.get(namespace, ()))]

    def conflicting_claims(self, organization: Organization) -> dict[str, list[str]]:
        """Return the organization's namespaces that other Organizations list too, with the names of the others."""
        own = organization.metadata.name
        claims = {namespace: self._claims.get(namespace, set()) - {own} for namespace in organization.spec.namespaces}
        return {namespace: sorted(others) for namespace, others in claims.items() if others}

    def affected_organizations(self, name: str) -> set[str]:
        """Return the names of the other Organizations whose status depends on this one.

        They list one of its namespaces, or their Temporal namespace is the same or has the same name.
        """
        organization, probe = self._organizations.get(name), self._probes.get(name)
        claimants = (
            (self._claims.get(namespace, set()) for namespace in organization.spec.namespaces) if organization else ()
        )
        sharers = {
            other
            for other, seen in self._probes.items()
            if probe and (probe.namespace == seen.namespace or probe.shares_with(seen))
        }
        return set().union(sharers, *claimants) - {name}

    def readiness(self, organization: Organization) -> Readiness | None:
        """Decide whether the Organization is ready.

        Returns:
            The readiness; None while the Temporal of this Organization has not been called, or that of another one
            which may use the same Temporal namespace.
        """
        name = organization.metadata.name
        probe = self._probes.get(name)
        others = [
            (other, seen)
            for other in self
            if other is not organization and (seen := self._probes.get(other.metadata.name)) is not None
        ]
        if probe is None or not probe.asked or _waits_for_another(organization, probe, others):
            return None
        found = (check(organization, probe, others) for check in READINESS_CHECKS)
        return next((readiness for readiness in found if readiness), _ready(probe))

    def _unclaim(self, name: str) -> set[str]:
        """Remove all claims of an Organization; return the namespaces that it listed."""
        old = self._organizations.get(name)
        namespaces = set(old.spec.namespaces) if old else set()
        for namespace in namespaces:
            self._claims[namespace].discard(name)
            if not self._claims[namespace]:
                del self._claims[namespace]
        return namespaces


def _probe_key(organization: Organization) -> tuple[str, Temporal]:
    """Return the fields that a probe depends on. A change of one of them makes the probe invalid."""
    return organization.metadata.uid, organization.spec.temporal


Others = list[tuple[Organization, Probe]]
"""The other Organizations that were probed, each with its probe."""


def _temporal_namespace_shared(organization: Organization, probe: Probe, others: Others) -> Readiness | None:
    own = required_proof(organization)
    sharers = [other for other, seen in others if probe.shares_with(seen)]
    confusable = [other for other in sharers if own is None or required_proof(other) in (None, own)]
    if not confusable:
        return None
    names = ", ".join(sorted(other.metadata.name for other in confusable))
    return Readiness(
        ready=False,
        reason=Reason.TEMPORAL_NAMESPACE_SHARED,
        message=f"Temporal namespace {probe.namespace} is also used by {names}: "
        "each of them must declare spec.ownership, and no two may have the same value",
    )


def _temporal_unusable(_: Organization, probe: Probe, __: Others) -> Readiness | None:
    return Readiness(ready=False, reason=probe.fault, message=probe.message) if probe.fault else None


def _temporal_namespace_may_be_shared(organization: Organization, probe: Probe, others: Others) -> Readiness | None:
    suspects = [other for other, seen in others if probe.may_share_with(seen)]
    if organization.spec.ownership or not suspects:
        return None
    names = ", ".join(sorted(other.metadata.name for other in suspects))
    return Readiness(
        ready=False,
        reason=Reason.TEMPORAL_UNAVAILABLE,
        message=f"Temporal namespace {probe.namespace} may also be used by {names}, whose Temporal could not be asked: "
        "repair that connection, or declare spec.ownership here",
    )


def _waits_for_another(organization: Organization, probe: Probe, others: Others) -> bool:
    """Whether an Organization that may use the same Temporal namespace has not been probed yet."""
    unproven = organization.spec.ownership is None
    return unproven and any(not seen.asked and probe.may_share_with(seen) for _, seen in others)


def _ready(probe: Probe) -> Readiness:
    return Readiness(
        ready=True, reason=Reason.READY, message=f"Temporal namespace {probe.namespace} at {probe.address} answers"
    )


READINESS_CHECKS: tuple[Callable[[Organization, Probe, Others], Readiness | None], ...] = (
    _temporal_namespace_shared,  # without a proof of ownership, a tenant could reach the workflows of another
    _temporal_unusable,  # Temporal gives no answer, refuses, or has no such namespace
    _temporal_namespace_may_be_shared,  # not ready while another Organization's Temporal can't be asked
)
"""The checks in their order, each named for the state that it finds. The first that finds its state decides."""
