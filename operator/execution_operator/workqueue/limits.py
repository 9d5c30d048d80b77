"""How many passes are under way at once, and at what pace Executions are looked for for the first time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.workflow.state import is_unresolved
from execution_operator.index.counting import subtract
from execution_operator.runtime.rate_limit import RateLimiter


@dataclass(frozen=True)
class Limits:
    """How many passes may be under way at once: in all, and of one namespace, so that none keeps others waiting."""

    slots: int
    lane: int


WIDTHS = {True: Limits(100, 25), False: Limits(20, 10)}
"""For requests, and for mere looks: these never keep a request waiting."""

FIRST_LOOKS = 100.0
"""Executions a second that are looked for for the first time; Temporal has other users too."""

AHEAD = 500
"""First looks that should be in the queue at once: each has its price. The others wait in the API server."""


class InFlight:
    """Looks under way or waiting, by namespace.

    Attributes:
        total: How many there are.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._ended: WeakValueDictionary[str, asyncio.Event] = WeakValueDictionary()
        self.total = 0

    def begin(self, namespace: str) -> None:
        """Count one more."""
        self.total += 1
        self._counts[namespace] += 1

    def end(self, namespace: str) -> None:
        """Count one less."""
        self.total -= 1
        subtract(self._counts, namespace)
        if ended := self._ended.get(namespace):
            ended.set()

    async def room(self, namespace: str, most: int) -> None:
        """Wait while a namespace has as many, or more."""
        while self._counts[namespace] >= most:
            ended = self._ended.setdefault(namespace, asyncio.Event())
            ended.clear()
            await ended.wait()


class ConcurrencyLimiter:
    """Where passes wait for their turn, requests apart from looks.

    Attributes:
        first: The looks at Executions that were never seen, all under the namespace "".
        known: Those at the others.
    """

    def __init__(self, widths: Mapping[bool, Limits]) -> None:
        self._widths = widths
        self._slots = {urgent: asyncio.Semaphore(width.slots) for urgent, width in widths.items()}
        self._lanes: WeakValueDictionary[tuple[str, bool], asyncio.Semaphore] = WeakValueDictionary()
        self._first_looks = RateLimiter(FIRST_LOOKS)
        self.first, self.known = InFlight(), InFlight()

    @asynccontextmanager
    async def turn(self, execution: Execution, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a turn for a pass, or several in a row."""
        if is_unresolved(execution) and not urgent:
            await self._first_looks.turn()
        place = execution.metadata.namespace, urgent
        lane = self._lanes.setdefault(place, asyncio.Semaphore(self._widths[urgent].lane))
        async with lane, self._slots[urgent]:
            yield

    def occupy(self, task: asyncio.Task[None], execution: Execution) -> None:
        """Count a task that is a look until it is done."""
        looks, namespace = (self.first, "") if is_unresolved(execution) else (self.known, execution.metadata.namespace)
        looks.begin(namespace)
        task.add_done_callback(lambda _: looks.end(namespace))
