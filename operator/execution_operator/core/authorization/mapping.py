"""Which organization a namespace belongs to, and whether that Organization may be acted for.

Default deny: a namespace that nobody lists belongs to nobody, one that two list belongs to neither.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from execution_operator.api import Organization
from execution_operator.core.authorization.ownership import required_proof
from execution_operator.core.reasons import Reason


@dataclass(frozen=True)
class Probe:
    """What the last look at an Organization's Temporal namespace showed.

    Attributes:
        address: host:port that was asked.
        namespace: The Temporal namespace that was asked for.
        namespace_id: Temporal's own id of it; empty where there was no answer.
        fault: Why it can't be used; None where it can.
        message: The fault for people.
        asked: Whether Temporal has been asked at all.
    """

    address: str
    namespace: str
    namespace_id: str = ""
    fault: Reason | None = None
    message: str = ""
    asked: bool = True

    @property
    def decisive_fields(self) -> tuple[bool, Reason | None, str]:
        """What decisions hang on: all but the words."""
        return self.asked, self.fault, self.namespace_id

    def with_known_id(self, before: "Probe") -> "Probe":
        """Return this look with the id that an earlier one showed, where there was no answer now."""
        same = (self.address, self.namespace) == (before.address, before.namespace)
        answered = self.fault in (None, Reason.TEMPORAL_NAMESPACE_NOT_FOUND)
        return replace(self, namespace_id=before.namespace_id) if same and not answered else self

    def shares_with(self, other: "Probe") -> bool:
        """Whether both are one Temporal namespace: the same id, or without ids the same address and name."""
        if self.namespace_id and other.namespace_id:
            return self.namespace_id == other.namespace_id
        return (self.address, self.namespace) == (other.address, other.namespace)

    def may_share_with(self, other: "Probe") -> bool:
        """Whether both could turn out to be one Temporal namespace once the other's Temporal answers."""
        unknown = not other.namespace_id and other.fault is not Reason.TEMPORAL_NAMESPACE_NOT_FOUND
        return unknown and self.namespace == other.namespace


@dataclass(frozen=True)
class Readiness:
    """Whether an Organization may be acted for: ready, denied (a human must act) or unknown (Temporal is away)."""

    ready: bool
    reason: Reason
    message: str

    @property
    def waiting(self) -> bool:
        """Whether this mends itself once Temporal answers."""
        return self.reason is Reason.TEMPORAL_UNAVAILABLE


class Mapping:
    """The index of Organizations by name and by namespace, kept up by whoever watches them."""

    def __init__(self) -> None:
        self._organizations: dict[str, Organization] = {}
        self._claims: defaultdict[str, set[str]] = defaultdict(set)
        self._probes: dict[str, Probe] = {}

    def __iter__(self) -> Iterator[Organization]:
        return iter(tuple(self._organizations.values()))

    def put(self, organization: Organization) -> set[str]:
        """Add or replace an Organization; return the namespaces whose owner may have changed."""
        name, old = organization.metadata.name, self._organizations.get(organization.metadata.name)
        touched = self._unclaim(name)
        if old is not None and (old.metadata.uid, old.spec.temporal) != (
            organization.metadata.uid,
            organization.spec.temporal,
        ):
            self._probes.pop(name, None)
        self._organizations[organization.metadata.name] = organization
        for namespace in organization.spec.namespaces:
            self._claims[namespace].add(organization.metadata.name)
        return touched.union(organization.spec.namespaces)

    def drop(self, name: str) -> set[str]:
        """Forget an Organization; return the namespaces whose owner may have changed."""
        touched = self._unclaim(name)
        self._organizations.pop(name, None)
        self._probes.pop(name, None)
        return touched

    def record_probe(self, name: str, probe: Probe) -> None:
        """Note what a look at the Organization's Temporal namespace showed."""
        if name in self._organizations:
            self._probes[name] = probe

    def get(self, name: str) -> Organization | None:
        """Return the Organization of this name."""
        return self._organizations.get(name)

    def probe(self, name: str) -> Probe | None:
        """Return what was last seen of the Organization's Temporal namespace."""
        return self._probes.get(name)

    def claimants(self, namespace: str) -> list[Organization]:
        """Return the Organizations that list the namespace, by name."""
        return [self._organizations[name] for name in sorted(self._claims.get(namespace, ()))]

    def conflicting_claims(self, organization: Organization) -> dict[str, list[str]]:
        """Return the organization's namespaces that others list too, with the others' names."""
        own = organization.metadata.name
        claims = {namespace: self._claims.get(namespace, set()) - {own} for namespace in organization.spec.namespaces}
        return {namespace: sorted(others) for namespace, others in claims.items() if others}

    def affected_organizations(self, name: str) -> set[str]:
        """Name the other Organizations whose state hangs on this one: they claim or use what it does."""
        organization, probe = self._organizations.get(name), self._probes.get(name)
        claimants = (
            (self._claims.get(namespace, set()) for namespace in organization.spec.namespaces) if organization else ()
        )
        sharers = {other for other, seen in self._probes.items() if probe and probe.namespace == seen.namespace}
        aliases = {other for other, seen in self._probes.items() if probe and probe.shares_with(seen)}
        return set().union(sharers, aliases, *claimants) - {name}

    def readiness(self, organization: Organization) -> Readiness | None:
        """Decide whether the Organization may be acted for; None while its Temporal has not been asked yet."""
        name = organization.metadata.name
        probe = self._probes.get(name)
        others = [
            (other, seen)
            for other in self
            if other is not organization and (seen := self._probes.get(other.metadata.name)) is not None
        ]
        if probe is None or not probe.asked or _waits_for_another(organization, probe, others):
            return None
        found = (check(organization, probe, others) for check in READINESS)
        return next((readiness for readiness in found if readiness), _ready(probe))

    def _unclaim(self, name: str) -> set[str]:
        old = self._organizations.get(name)
        namespaces = set(old.spec.namespaces) if old else set()
        for namespace in namespaces:
            self._claims[namespace].discard(name)
            if not self._claims[namespace]:
                del self._claims[namespace]
        return namespaces


Others = list[tuple[Organization, Probe]]


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
        "each must declare spec.ownership, and no two the same value",
    )


def _temporal_faulty(_: Organization, probe: Probe, __: Others) -> Readiness | None:
    return Readiness(ready=False, reason=probe.fault, message=probe.message) if probe.fault else None


def _temporal_namespace_perhaps_shared(organization: Organization, probe: Probe, others: Others) -> Readiness | None:
    suspects = [other for other, seen in others if probe.may_share_with(seen)]
    if organization.spec.ownership or not suspects:
        return None
    names = ", ".join(sorted(other.metadata.name for other in suspects))
    return Readiness(
        ready=False,
        reason=Reason.TEMPORAL_UNAVAILABLE,
        message=f"whether {names} shares Temporal namespace {probe.namespace} is unknown until its Temporal answers: "
        "mend that, or declare spec.ownership",
    )


def _waits_for_another(organization: Organization, probe: Probe, others: Others) -> bool:
    """Whether another that may turn out to share the Temporal namespace has not been asked yet."""
    unproven = organization.spec.ownership is None
    return unproven and any(not seen.asked and probe.may_share_with(seen) for _, seen in others)


def _ready(probe: Probe) -> Readiness:
    return Readiness(
        ready=True, reason=Reason.READY, message=f"Temporal namespace {probe.namespace} at {probe.address} answers"
    )


READINESS: tuple[Callable[[Organization, Probe, Others], Readiness | None], ...] = (
    _temporal_namespace_shared,  # a tenant without proof of ownership could reach another's workflows
    _temporal_faulty,  # Temporal is away, refuses, or has no such namespace
    _temporal_namespace_perhaps_shared,  # fail closed while another's Temporal can't tell
)
