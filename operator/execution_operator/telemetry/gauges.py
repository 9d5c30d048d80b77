"""The gauges that are computed when Prometheus reads them, and the lag of the event loop."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from execution_operator.api import ConditionStatus, Execution, Organization, Phase
from execution_operator.core.reasons import Type
from execution_operator.telemetry.backlog import RequestState, backlog
from execution_operator.telemetry.metrics import (
    EXECUTIONS,
    LOOP_LAG,
    OLDEST_PENDING_REQUEST_AGE,
    OPEN_REQUESTS,
    ORGANIZATIONS,
    REREADS_PENDING,
    VISIBILITY_POLL_AGE,
    WORKQUEUE_DEPTH,
)

BEAT = 1.0
"""Seconds between two looks at how late the event loop is."""


@dataclass(frozen=True)
class Gauges:
    """What is counted.

    Attributes:
        queue: The Executions that are worked on, or wait for it.
        not_found: How many requests are left to the sweeps.
        phases: How many Executions are in which phase.
        organizations: All that are known.
        feed_age: Seconds since the last look that succeeded, of the feed where that is longest ago.
        unread: How many Executions could not be read yet that a feed told of.
    """

    queue: Callable[[], Iterator[Execution]]
    not_found: Callable[[], int]
    phases: Callable[[], Mapping[str, int]]
    organizations: Callable[[], Iterable[Organization]]
    feed_age: Callable[[], float]
    unread: Callable[[], int]

    def refresh(self, now: datetime) -> None:
        """Set them all, by the API server's time. The queue is walked through once: about 2 µs an Execution."""
        executions = tuple(self.queue())
        requests, phases = backlog(executions, now), self.phases()
        counts = {**requests.counts, RequestState.NOT_FOUND: self.not_found()}
        for standing in RequestState:
            OPEN_REQUESTS.labels(standing).set(counts.get(standing, 0))
        for phase in Phase:
            EXECUTIONS.labels(phase).set(phases.get(phase, 0))
        OLDEST_PENDING_REQUEST_AGE.set((now - requests.oldest).total_seconds() if requests.oldest else 0)
        WORKQUEUE_DEPTH.set(len(executions))
        VISIBILITY_POLL_AGE.set(self.feed_age())
        REREADS_PENDING.set(self.unread())
        self._count_organizations()

    def _count_organizations(self) -> None:
        counts = Counter(map(_ready, self.organizations()))
        for status in ConditionStatus:
            ORGANIZATIONS.labels(status).set(counts[status])


def _ready(organization: Organization) -> ConditionStatus:
    ready = organization.status.condition(Type.READY)
    return ready.status if ready else ConditionStatus.UNKNOWN


async def listen_to_loop() -> None:
    """Measure how late the event loop comes to a timer, until cancelled."""
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + BEAT
        await asyncio.sleep(BEAT)
        LOOP_LAG.observe(max(0.0, clock() - due))
