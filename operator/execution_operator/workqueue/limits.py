"""Limits of how many Executions are reconciled at once, and of how fast new ones are reconciled for the first time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.workflow.state import is_unanswered, is_unresolved
from execution_operator.index.counting import subtract
from execution_operator.runtime.rate_limit import RateLimiter


class Priority(Enum):
    """The two groups of reconciles. Each has its own limits, so a routine reconcile never delays a request."""

    REQUEST = "request"
    """The Execution has a request without an outcome: a termination, or a deletion that terminates."""

    ROUTINE = "routine"
    """The Execution asks for nothing. The reconcile brings its status up to date."""


@dataclass(frozen=True)
class Limits:
    """How many reconciles of one priority run at once.

    Attributes:
        total: In all namespaces together.
        per_namespace: In one namespace. It keeps one namespace from taking all of `total`.
    """

    total: int
    per_namespace: int


LIMITS = {Priority.REQUEST: Limits(100, 25), Priority.ROUTINE: Limits(20, 10)}
"""The limits of the operator."""

FIRST_RECONCILES_PER_SECOND = 100.0
"""Rate of first reconciles. Each one queries Temporal, which has other users too."""

MAX_FIRST_RECONCILES = 500
"""Executions in the queue that wait for their first reconcile. Each takes memory, so others stay in the API server."""


def priority_of(execution: Execution) -> Priority:
    """Return the priority of an Execution by its state."""
    return Priority.REQUEST if is_unanswered(execution) else Priority.ROUTINE


class InFlight:
    """Counts the reconciles that run or wait for a slot, by namespace.

    Attributes:
        total: The count of all namespaces.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._decreased: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self.total = 0

    def begin(self, namespace: str) -> None:
        """Count one more."""
        self.total += 1
        self._counts[namespace] += 1

    def end(self, namespace: str) -> None:
        """Count one less."""
        self.total -= 1
        subtract(self._counts, namespace)
        if decreased := self._decreased.get(namespace):
            decreased.set()

    async def wait_below(self, namespace: str, limit: int) -> None:
        """Wait until the count of the namespace is below the limit."""
        while self._counts[namespace] >= limit:
            decreased = self._decreased.setdefault(namespace, asyncio.Event())
            decreased.clear()
            await decreased.wait()


class ConcurrencyLimiter:
    """Hands out slots to reconcile in, by priority and namespace.

    Attributes:
        first_reconciles: The routine reconciles of Executions without a pinned run, all counted under the namespace "".
        repeat_reconciles: The routine reconciles of all other Executions.
    """

    def __init__(self, limits: Mapping[Priority, Limits]) -> None:
        self._limits = limits
        self._slots = {priority: asyncio.Semaphore(limit.total) for priority, limit in limits.items()}
        self._namespace_slots: WeakValueDictionary[tuple[str, Priority], asyncio.Semaphore] = WeakValueDictionary()
        self._first_rate = RateLimiter(FIRST_RECONCILES_PER_SECOND)
        self.first_reconciles, self.repeat_reconciles = InFlight(), InFlight()

    @asynccontextmanager
    async def acquire(self, execution: Execution, priority: Priority) -> AsyncIterator[None]:
        """Hold a slot. Several reconciles of one Execution in a row need only one."""
        if is_unresolved(execution) and priority is Priority.ROUTINE:
            await self._first_rate.acquire()
        key = execution.metadata.namespace, priority
        namespace_slots = self._namespace_slots.setdefault(key, asyncio.Semaphore(self._limits[priority].per_namespace))
        async with namespace_slots, self._slots[priority]:
            yield

    def count_routine(self, task: asyncio.Task[None], execution: Execution) -> None:
        """Count a task that reconciles with routine priority until it is done."""
        first = is_unresolved(execution)
        in_flight = self.first_reconciles if first else self.repeat_reconciles
        namespace = "" if first else execution.metadata.namespace
        in_flight.begin(namespace)
        task.add_done_callback(lambda _: in_flight.end(namespace))
