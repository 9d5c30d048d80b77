"""How many passes are under way at once, and at what pace Executions are looked for for the first time."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.state import never_seen
from execution_operator.pacer import Pacer


@dataclass(frozen=True)
class Width:
    """How many passes may be under way at once: in all, and of one namespace, so that none keeps others waiting."""

    slots: int
    lane: int


WIDTHS = {True: Width(100, 25), False: Width(20, 10)}
"""For requests, and for mere looks: these never keep a request waiting."""

FIRST_LOOKS = 100.0
"""Executions a second that are looked for for the first time; Temporal has other users too."""

AHEAD = 500
"""First looks that should be in the queue at once: each has its price. The others wait in the API server."""


class Lanes:
    """Where passes wait for their turn, requests apart from looks.

    Attributes:
        room: Set while one more first look should wait here.
    """

    def __init__(self, widths: Mapping[bool, Width]) -> None:
        self._widths = widths
        self._slots = {urgent: asyncio.Semaphore(width.slots) for urgent, width in widths.items()}
        self._lanes: WeakValueDictionary[tuple[str, bool], asyncio.Semaphore] = WeakValueDictionary()
        self._first_looks = Pacer(FIRST_LOOKS)
        self._ahead = 0
        self.room = asyncio.Event()
        self.room.set()

    @asynccontextmanager
    async def turn(self, execution: Execution, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a turn for a pass, or several in a row."""
        if never_seen(execution) and not urgent:
            await self._first_looks.turn()
        place = execution.metadata.namespace, urgent
        lane = self._lanes.setdefault(place, asyncio.Semaphore(self._widths[urgent].lane))
        async with lane, self._slots[urgent]:
            yield

    def occupy(self, task: asyncio.Task[None]) -> None:
        """Have a task that is a first look take room until it is done."""
        self._count(1)
        task.add_done_callback(lambda _: self._count(-1))

    def _count(self, more: int) -> None:
        self._ahead += more
        if self._ahead < AHEAD:
            self.room.set()
        else:
            self.room.clear()
