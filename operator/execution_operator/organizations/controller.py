"""Keeps the Mapping up to date: the Organizations, and the probes of their Temporal namespaces.

The controller is also the circuit breaker. While an Organization's Temporal is unavailable, the operator sends it only
probes, one at a time. The Organization's Executions are enqueued when Temporal is available again.
"""

import asyncio
from collections.abc import Callable

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.organizations.ports import Records, TemporalNamespaces
from execution_operator.organizations.probe_loop import ProbeLoop
from execution_operator.organizations.status_writer import StatusWriter


class OrganizationController:
    """Updates the Mapping and the statuses of the Organizations.

    Args:
        mapping: The Mapping to update. The authorization reads it.
        temporal_namespaces: The Temporal namespaces to probe.
        records: The Organizations in the API server, for their statuses.
        enqueue_namespaces: Called with the namespaces whose Executions must be reconciled, because the authorization
            may have changed.
        writes_status_of: Whether this operator writes the status of the Organization with this name.
    """

    def __init__(
        self,
        mapping: Mapping,
        temporal_namespaces: TemporalNamespaces,
        records: Records,
        enqueue_namespaces: Callable[[set[str]], None],
        writes_status_of: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._mapping = mapping
        self._temporal_namespaces = temporal_namespaces
        self._statuses = StatusWriter(mapping, records, writes_status_of)
        self._enqueue_namespaces = enqueue_namespaces
        self._probe_loops: dict[str, ProbeLoop] = {}
        self._listed = asyncio.Event()

    @property
    def known(self) -> bool:
        """Whether all Organizations have been listed once."""
        return self._listed.is_set()

    async def synced(self) -> None:
        """Wait until all Organizations have been listed once."""
        await self._listed.wait()

    def put(self, organization: Organization) -> None:
        """Add an Organization, or update it. If its spec has changed, probe its Temporal namespace at once."""
        name = organization.metadata.name
        old, affected = self._mapping.get(name), self._mapping.affected_organizations(name)
        touched = self._mapping.put(organization)
        if _is_unchanged(old, organization):
            self._statuses.schedule(name)
            return
        if self._mapping.probe(name) is None:
            self._mapping.record_probe(name, self._temporal_namespaces.initial_probe(organization))
        if name not in self._probe_loops:
            self._probe_loops[name] = ProbeLoop(lambda: self._probe(name))
        self._probe_loops[name].probe_now()
        self._notify(affected | self._mapping.affected_organizations(name), touched)

    def drop(self, name: str) -> None:
        """Remove an Organization that was deleted."""
        affected = self._mapping.affected_organizations(name)
        touched = self._mapping.drop(name)
        if loop := self._probe_loops.pop(name, None):
            loop.stop()
        self._temporal_namespaces.forget(name)
        self._notify(affected, touched)

    def listed(self, uids: set[str]) -> None:
        """Drop the Organizations that are not in a complete list, because they were deleted before the list.

        Args:
            uids: The UIDs of all Organizations in the list.
        """
        for organization in self._mapping:
            if organization.metadata.uid not in uids:
                self.drop(organization.metadata.name)
        self._listed.set()

    def probe_now(self, name: str) -> None:
        """Probe an Organization's Temporal namespace at once, for instance because a call to it got no answer."""
        if loop := self._probe_loops.get(name):
            loop.probe_now()

    def probe_all(self) -> None:
        """Probe all Temporal namespaces at once, for instance because a Secret has changed."""
        for loop in self._probe_loops.values():
            loop.probe_now()

    def stop(self) -> None:
        """Stop all probes."""
        for loop in self._probe_loops.values():
            loop.stop()

    async def _probe(self, name: str) -> bool:
        """Probe once, and return whether Temporal answered without a fault."""
        if (organization := self._mapping.get(name)) is None:
            return True
        probe = await self._temporal_namespaces.probe(organization)
        if self._mapping.get(name) is not organization and not _is_unchanged(self._mapping.get(name), organization):
            return True  # the Organization changed meanwhile, and `put` has requested another probe
        before = self._mapping.probe(name)
        if before is not None:
            probe = probe.with_known_id(before)
        self._mapping.record_probe(name, probe)
        if before is None or before.decisive_fields != probe.decisive_fields:
            self._notify(self._mapping.affected_organizations(name), set(organization.spec.namespaces))
        await self._statuses.write(name)
        return probe.fault is None

    def _notify(self, affected: set[str], namespaces: set[str]) -> None:
        """Update the affected Organizations' statuses, and enqueue the Executions of their namespaces and of the given.

        Args:
            affected: The Organizations whose readiness depends on the one that changed.
            namespaces: The namespaces of the Organization that changed.
        """
        for name in affected:
            if organization := self._mapping.get(name):
                namespaces = namespaces.union(organization.spec.namespaces)
                self._statuses.schedule(name)
        self._enqueue_namespaces(namespaces)


def _is_unchanged(old: Organization | None, new: Organization) -> bool:
    """Whether both are the same generation of the same object. Only the metadata or the status can differ."""
    return old is not None and (old.metadata.uid, old.metadata.generation) == (
        new.metadata.uid,
        new.metadata.generation,
    )
