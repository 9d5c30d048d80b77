"""Keeps the mapping true: Organizations as they come, a look at the Temporal namespace of each, and their status.

It is also the circuit breaker: while an Organization's Temporal is away, only these looks go there, one at a time,
and its Executions are woken when it is back.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from execution_operator.api import Organization, OrganizationStatus
from execution_operator.core.authorization.mapping import Mapping, Probe
from execution_operator.core.errors import Conflict, ObjectNotFound, RecordError
from execution_operator.core.status.organization_status import render
from execution_operator.core.workflow.grace_period import rfc3339
from execution_operator.runtime.backoff import PROBE_BACKOFF

logger = logging.getLogger(__name__)

STEADY = 60.0
"""Seconds between two looks at a Temporal namespace that answers."""

FLOOR = 0.1
"""Seconds at least between two looks, whoever calls for them, and between two writes for the sake of others."""


class Records(Protocol):
    """The Organizations in the API server."""

    def now(self) -> datetime:
        """Return the API server's time."""

    async def write_status(self, organization: Organization, status: OrganizationStatus) -> None:
        """Write the status in one PATCH, or nothing if it is the same."""


class Temporals(Protocol):
    """The Temporal namespaces of Organizations."""

    def unasked(self, organization: Organization) -> Probe:
        """Return what is known of the Organization's Temporal namespace before it was asked."""

    async def probe(self, organization: Organization) -> Probe:
        """Ask Temporal for the Organization's namespace. Never raises."""

    def forget(self, name: str) -> None:
        """Drop what was kept for an Organization."""


class OrganizationController:
    """Feeds the mapping.

    Args:
        mapping: What the authorization asks.
        temporals: Where the probes go.
        records: Where the statuses go.
        wake: Called with namespaces whose Executions may be decided otherwise now.
        own: Whether an Organization's status is this operator's to write.
    """

    def __init__(
        self,
        mapping: Mapping,
        temporals: Temporals,
        records: Records,
        wake: Callable[[set[str]], None],
        own: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._mapping = mapping
        self._temporals = temporals
        self._records = records
        self._wake = wake
        self._own = own
        self._probers: dict[str, _Prober] = {}
        self._listed = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()
        self._writing: dict[str, bool] = {}
        """Whose status is being brought up to date, and whether that is to be done once more."""

    @property
    def known(self) -> bool:
        """Whether all Organizations are known."""
        return self._listed.is_set()

    async def synced(self) -> None:
        """Wait until all Organizations are known."""
        await self._listed.wait()

    def put(self, organization: Organization) -> None:
        """Take in an Organization that is new, or has changed."""
        name = organization.metadata.name
        old, neighbours = self._mapping.get(name), self._mapping.neighbours(name)
        touched = self._mapping.put(organization)
        if _same(old, organization):
            self._update(name)
            return
        if self._mapping.probe(name) is None:
            self._mapping.probed(name, self._temporals.unasked(organization))
        if name not in self._probers:
            self._probers[name] = _Prober(lambda: self._probe(name))
        self._probers[name].now()
        self._tell(neighbours | self._mapping.neighbours(name), touched)

    def drop(self, name: str) -> None:
        """Forget an Organization that was deleted."""
        neighbours = self._mapping.neighbours(name)
        touched = self._mapping.drop(name)
        if prober := self._probers.pop(name, None):
            prober.stop()
        self._temporals.forget(name)
        self._tell(neighbours, touched)

    def listed(self, uids: set[str]) -> None:
        """Drop the Organizations that a complete list does not hold: they were deleted while nobody looked."""
        for organization in self._mapping:
            if organization.metadata.uid not in uids:
                self.drop(organization.metadata.name)
        self._listed.set()

    def suspect(self, name: str) -> None:
        """Look at once whether the Organization's Temporal is there: a call to it got no answer."""
        if prober := self._probers.get(name):
            prober.now()

    def probe_all(self) -> None:
        """Look at all of them: what they are reached with may have changed."""
        for prober in self._probers.values():
            prober.now()

    def stop(self) -> None:
        """Stop all looks."""
        for prober in self._probers.values():
            prober.stop()

    async def _probe(self, name: str) -> bool:
        """Look once; return whether Temporal answered well."""
        if (organization := self._mapping.get(name)) is None:
            return True
        probe = await self._temporals.probe(organization)
        if self._mapping.get(name) is not organization and not _same(self._mapping.get(name), organization):
            return True  # it changed meanwhile: another look is on its way
        before = self._mapping.probe(name)
        if before is not None:
            probe = probe.remembering(before)
        self._mapping.probed(name, probe)
        if before is None or before.verdict != probe.verdict:
            self._tell(self._mapping.neighbours(name), set(organization.spec.namespaces))
        await self._write(name)
        return probe.fault is None

    def _tell(self, neighbours: set[str], touched: set[str]) -> None:
        """Bring the neighbours' statuses up to date, and wake every Execution that this may concern."""
        for neighbour in neighbours:
            if organization := self._mapping.get(neighbour):
                touched = touched.union(organization.spec.namespaces)
                self._update(neighbour)
        self._wake(touched)

    def _update(self, name: str) -> None:
        """Write the status in the background, if it is not what it should be: one write of each at a time.

        Many share a Temporal namespace, perhaps, and each look at it concerns the status of all of them.
        """
        under_way, self._writing[name] = name in self._writing, True
        if under_way:
            return
        self._background.add(task := asyncio.create_task(self._bring_up(name)))
        task.add_done_callback(self._background.discard)

    async def _bring_up(self, name: str) -> None:
        try:
            while self._writing[name]:
                self._writing[name] = False
                await self._write(name)
                await asyncio.sleep(FLOOR)
        finally:
            del self._writing[name]

    async def _write(self, name: str) -> None:
        organization = self._mapping.get(name)
        if not self._own(name) or organization is None or self._mapping.readiness(organization) is None:
            return
        now = rfc3339(self._records.now())
        try:
            await self._records.write_status(organization, render(organization, self._mapping, now))
        except (Conflict, ObjectNotFound):
            return  # the watch brings what is there now, and that is compared again
        except RecordError as error:
            logger.warning("status of organization %s not written: %s; tried again at the next look", name, error)


def _same(old: Organization | None, new: Organization) -> bool:
    return old is not None and (old.metadata.uid, old.metadata.generation) == (
        new.metadata.uid,
        new.metadata.generation,
    )


class _Prober:
    """Looks again and again: at once when asked to, else after a pause."""

    def __init__(self, look: Callable[[], Awaitable[bool]]) -> None:
        self._look = look
        self._now = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def now(self) -> None:
        """Look at once; during a look, once more after it."""
        self._now.set()

    def stop(self) -> None:
        """Look no more."""
        self._task.cancel()

    async def _run(self) -> None:
        failures = 0
        while True:
            self._now.clear()
            failures = 0 if await self._look_safely() else failures + 1
            await self._rest(failures)

    async def _look_safely(self) -> bool:
        """Look; a look that breaks counts as one without an answer, and the next one comes."""
        try:
            return await self._look()
        except Exception:
            logger.exception("a look at an organization broke")
            return False

    async def _rest(self, failures: int) -> None:
        """Pause; a call to look now cuts it short, but not below the floor."""
        floor, clock = (PROBE_BACKOFF.delays[0] / 2 if failures else FLOOR), asyncio.get_running_loop().time
        pause = PROBE_BACKOFF.delay(failures - 1) if failures else STEADY
        earliest = clock() + floor
        try:
            async with asyncio.timeout(pause):
                await self._now.wait()
        except TimeoutError:
            return
        await asyncio.sleep(earliest - clock())
