"""Runs one NamespacePoller for each Temporal namespace of the Organizations.

Each Temporal namespace costs one incremental query for closed runs and one query for paused runs, whatever the number
of Executions. The backfill finds runs that closed while the operator was not polling.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable

from execution_operator.api import Organization
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns
from execution_operator.runtime.backoff import POLL_BACKOFF
from execution_operator.runtime.rate_limit import RateLimiter
from execution_operator.telemetry.metrics import VISIBILITY_POLL_FAILURES
from execution_operator.visibility.namespace_poller import NamespacePoller
from execution_operator.visibility.ports import Enqueue, Visibility

logger = logging.getLogger(__name__)

Poll = Callable[[set[str], Visibility], Awaitable[None]]
"""A kind of poll: a method of NamespacePoller."""

POLL_INTERVAL_SECONDS = 1.0
"""Seconds between two checks for new Temporal namespaces."""

VISIBILITY_REQUESTS_PER_SECOND = 5.0
"""Visibility requests a second for each Temporal address. Servers allow 10 or more, for all their clients together."""


class VisibilityPoller:
    """Polls each Temporal namespace once, however many Organizations use it.

    Args:
        mapping: The Organizations, and the last probe of their Temporal namespaces.
        visibility_of: Returns the visibility of an Organization's Temporal namespace, or None if it has not been
            reached yet. The second argument is awaited before each request, and limits their rate.
        open_runs: The open Executions.
        enqueue: Called with the Executions whose run seems to have changed.
        busy: Whether the Execution with this UID is being reconciled. Its report waits until the reconcile has ended.
    """

    def __init__(
        self,
        mapping: Mapping,
        visibility_of: Callable[[Organization, Callable[[], Awaitable[None]]], Visibility | None],
        open_runs: OpenRuns,
        enqueue: Enqueue,
        busy: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._mapping = mapping
        self._visibility_of = visibility_of
        self._open_runs = open_runs
        self._enqueue = enqueue
        self._busy = busy
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._succeeded_at: dict[str, dict[Poll, float]] = {}
        self._organizations: dict[str, list[Organization]] = {}
        self._rate_limiters: defaultdict[str, RateLimiter] = defaultdict(
            lambda: RateLimiter(VISIBILITY_REQUESTS_PER_SECOND)
        )

    def age(self) -> float:
        """Return the seconds since the last successful poll: the maximum over Temporal namespaces and kinds of poll.

        The backfill is not included. Without any Temporal namespace the age is 0.
        """
        now = asyncio.get_running_loop().time()
        return max((now - at for id_ in self._tasks for at in self._succeeded_at[id_].values()), default=0.0)

    async def run(self) -> None:
        """Run a poller for each Temporal namespace that an Organization uses, until cancelled."""
        try:
            while True:
                self._organizations = self._by_temporal_namespace_id()
                for temporal_namespace_id in self._tasks.keys() - self._organizations.keys():
                    self._tasks.pop(temporal_namespace_id).cancel()
                    del self._succeeded_at[temporal_namespace_id]
                for temporal_namespace_id in self._organizations.keys() - self._tasks.keys():
                    self._succeeded_at[temporal_namespace_id] = {}
                    self._tasks[temporal_namespace_id] = asyncio.create_task(self._poll_all(temporal_namespace_id))
                await asyncio.sleep(POLL_INTERVAL_SECONDS)
        finally:
            for task in self._tasks.values():
                task.cancel()

    def _by_temporal_namespace_id(self) -> dict[str, list[Organization]]:
        """Return the Organizations whose Temporal namespace answered the last probe, by the ID of that namespace."""
        organizations: defaultdict[str, list[Organization]] = defaultdict(list)
        for organization in self._mapping:
            probe = self._mapping.probe(organization.metadata.name)
            if probe is not None and probe.fault is None and probe.namespace_id:
                organizations[probe.namespace_id].append(organization)
        return organizations

    async def _poll_all(self, temporal_namespace_id: str) -> None:
        """Run all kinds of poll concurrently, because a backfill takes minutes where many Executions are open."""
        poller = NamespacePoller(self._open_runs, self._enqueue, asyncio.get_running_loop().time, self._busy)
        polls: tuple[Poll, ...] = (poller.poll, poller.poll_late, poller.poll_paused)
        self._succeeded_at[temporal_namespace_id] = dict.fromkeys(polls, asyncio.get_running_loop().time())
        await asyncio.gather(*(self._repeat(temporal_namespace_id, poll) for poll in (*polls, poller.backfill)))

    async def _repeat(self, temporal_namespace_id: str, poll: Poll) -> None:
        """Repeat a kind of poll, with a growing interval while it fails."""
        failures = 0
        while True:
            try:
                await self._poll_once(poll, self._organizations[temporal_namespace_id])
                failures = 0
                if poll in self._succeeded_at[temporal_namespace_id]:
                    self._succeeded_at[temporal_namespace_id][poll] = asyncio.get_running_loop().time()
            except TemporalError as error:
                failures += 1
                VISIBILITY_POLL_FAILURES.inc()
                logger.warning("poll of Temporal namespace %s failed: %s", temporal_namespace_id, error)
            except Exception:
                failures += 1
                VISIBILITY_POLL_FAILURES.inc()
                logger.exception("poll of Temporal namespace %s raised an unexpected error", temporal_namespace_id)
            await asyncio.sleep(POLL_BACKOFF.delay(failures))

    async def _poll_once(self, poll: Poll, organizations: list[Organization]) -> None:
        """Poll with the credentials of the first Organization whose Temporal namespace has been reached."""
        for organization in organizations:
            probe = self._mapping.probe(organization.metadata.name)
            acquire = self._rate_limiters[probe.address if probe else ""].acquire
            if visibility := self._visibility_of(organization, acquire):
                await poll({each.metadata.name for each in organizations}, visibility)
                return
