"""A queue of objects to bring up to date: one worker an object at a time, the newest state wins, failures wait longer.

Nothing is kept for an object once it is settled.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError
from execution_operator.core.state import pinned, unanswered
from execution_operator.metrics import PASSES
from execution_operator.pacer import Pacer, backoff
from execution_operator.ports import WOKEN, Settlement, Work

logger = logging.getLogger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 60.0
"""Seconds before the first retry and at most; doubled each time, jittered."""


@dataclass(frozen=True)
class Width:
    """How many passes may be under way at once: in all, and of one namespace, so that none keeps others waiting."""

    slots: int
    lane: int


WIDTHS = {True: Width(100, 25), False: Width(20, 10)}
"""For requests, and for mere looks: these never keep a request waiting."""

FIRST_LOOKS = 100.0
"""Executions a second that are looked for for the first time; Temporal has other users too."""


class Lanes:
    """Where passes wait for their turn, requests apart from looks."""

    def __init__(self, widths: Mapping[bool, Width]) -> None:
        self._widths = widths
        self._slots = {urgent: asyncio.Semaphore(width.slots) for urgent, width in widths.items()}
        self._lanes: WeakValueDictionary[tuple[str, bool], asyncio.Semaphore] = WeakValueDictionary()
        self._first_looks = Pacer(FIRST_LOOKS)

    @asynccontextmanager
    async def turn(self, execution: Execution, *, urgent: bool) -> AsyncIterator[None]:
        """Hold a turn for a pass, or several in a row."""
        if not urgent and pinned(execution.status) is None:
            await self._first_looks.turn()
        place = execution.metadata.namespace, urgent
        lane = self._lanes.setdefault(place, asyncio.Semaphore(self._widths[urgent].lane))
        async with lane, self._slots[urgent]:
            yield


@dataclass
class _Entry:
    """An object with work to do.

    Attributes:
        execution: Its newest known state.
        seen: The version that the last pass ended with; less than the state's means that there is work.
        left: The version at which it left a selection: more than `seen` means that its state is unknown.
        hearsay: Whether the state is the one that it left a selection with: the state before, under the version of now.
            A patch made from it would pass for one of now, so it is never worked on unless the object is gone.
        forced: Whether it must be read again and passed over again, whatever came in meanwhile.
        gone: Whether reading it showed that it is no longer there.
        broken_off: Whether the last pass did not come to its end.
        urgent: Whether it waits among the requests.
        waiting: Whether its task waits for its turn.
        since: When its request came, by the monotonic clock; None where there is none.
    """

    execution: Execution
    seen: int = -1
    left: int = -1
    hearsay: bool = False
    forced: bool = False
    gone: bool = False
    broken_off: bool = False
    urgent: bool = False
    waiting: bool = False
    since: float | None = None
    failures: int = 0
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    @property
    def unknown(self) -> bool:
        """Whether the state must be read again."""
        return self.forced or self.hearsay or self.left > self.seen

    @property
    def due(self) -> bool:
        """Whether there is something that no pass has seen."""
        return self.unknown or version(self.execution) > self.seen

    def renew(self, execution: Execution, *, hearsay: bool = False) -> None:
        """Take in a state, and forget that earlier ones failed."""
        self.execution, self.seen, self.failures = execution, min(self.seen, version(execution) - 1), 0
        self.hearsay = hearsay

    def take(self, read: Execution | None) -> None:
        """Take in what a read has found: nothing, if the object is gone. Its last state is what counts then."""
        self.gone = read is None
        if read is None:
            self.hearsay = False
        elif version(read) >= version(self.execution):
            self.execution, self.hearsay = read, False
        self.seen = version(self.execution)

    def passed(self, settlement: Settlement) -> None:
        """Take in what a pass ended with. What came in meanwhile and is no newer was the echo of its own writes."""
        self.broken_off, self.seen = False, version(settlement.execution)
        if self.seen >= version(self.execution):
            self.execution, self.hearsay = settlement.execution, False


class WorkQueue:
    """Executions by UID.

    Args:
        reconcile: One pass over a state.
        read: Reads an object again; None where it is gone.
        widths: How many passes may be under way at once, of requests and of looks.
    """

    def __init__(
        self,
        reconcile: Callable[[Work], Awaitable[Settlement]],
        read: Callable[[Execution], Awaitable[Execution | None]],
        widths: Mapping[bool, Width] = WIDTHS,
    ) -> None:
        self._reconcile = reconcile
        self._read = read
        self._lanes = Lanes(widths)
        self._entries: dict[str, _Entry] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Execution]:
        return (entry.execution for entry in self._entries.values())

    def knows(self, uid: str) -> bool:
        """Tell whether there is work to do on an object."""
        return uid in self._entries

    def add(self, execution: Execution) -> None:
        """Take a state in, unless it is known already and being worked on, or waits for its time."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is None:
            if not self._closed:
                self._start(self._entries.setdefault(execution.metadata.uid, _Entry(execution)))
        elif version(execution) > version(entry.execution) or (entry.task is None and entry.timer is None):
            if version(execution) >= version(entry.execution):
                entry.renew(execution)
            else:
                entry.renew(entry.execution, hearsay=entry.hearsay)
            self._start(entry)

    def leave(self, execution: Execution) -> None:
        """Have an object that has left a selection read again and worked on now, if it is being worked on or waits."""
        if entry := self._entries.get(execution.metadata.uid):
            entry.left = max(entry.left, version(execution))
            self._start(entry)

    def delete(self, execution: Execution) -> None:
        """Take in the last state of an object that was deleted or has closed, if it is being worked on or waits."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is not None and version(execution) > version(entry.execution):
            entry.renew(execution, hearsay=True)
        self.leave(execution)

    def wake(self, execution: Execution) -> None:
        """Work on the object now, known or not: something that it depends on has changed."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is None:
            self.add(execution)
        elif entry.task is None and version(execution) >= version(entry.execution):
            entry.renew(execution)
            self._start(entry)
        else:
            self._force(entry)

    def wake_busy(self, namespaces: set[str]) -> None:
        """Have passes that are under way in these namespaces followed by another: they may have decided on what was."""
        for entry in self._entries.values():
            if entry.execution.metadata.namespace in namespaces and entry.task is not None:
                self._force(entry)

    def wake_idle(self, namespaces: set[str]) -> None:
        """Read again and work on all that waits in these namespaces."""
        for entry in self._entries.values():
            if entry.execution.metadata.namespace in namespaces and entry.task is None:
                self._force(entry)

    async def drain(self, seconds: float) -> None:
        """Take nothing more up, let passes under way finish within the time, and cancel the rest."""
        self._closed = True
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _force(self, entry: _Entry) -> None:
        entry.forced = True
        self._start(entry)

    def _start(self, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        urgent = unanswered(entry.execution)
        entry.since = (entry.since or time.monotonic()) if urgent else None
        if entry.task is not None and entry.waiting and urgent and not entry.urgent:
            entry.task.cancel()  # it waits among the looks, and has become a request
            entry.task = None
        if entry.task is None and not self._closed:
            entry.urgent, entry.waiting = urgent, True
            entry.task = asyncio.create_task(self._work(entry))
            entry.task.add_done_callback(lambda task: self._ended(entry, task))

    async def _work(self, entry: _Entry) -> None:
        """Run passes until no newer state is known, then forget the object or set its alarm."""
        pause: float | None = None
        async with self._lanes.turn(entry.execution, urgent=entry.urgent):
            entry.waiting = False
            while entry.due and not self._closed:
                if (pause := await self._reread(entry)) is not None:
                    break  # nothing is done on what may not be so any more
                pause = await self._pass(entry)
        entry.task = None
        if pause is None:
            del self._entries[entry.execution.metadata.uid]
        elif pause != WOKEN and not self._closed:
            entry.timer = asyncio.get_running_loop().call_later(pause, self._again, entry)

    def _ended(self, entry: _Entry, task: asyncio.Task[None]) -> None:
        """Take up an object again whose task broke, by whatever: nothing that has work to do is without one."""
        if entry.task is not task or self._closed:
            return  # it came to its end, or another one has taken its place
        entry.task = None
        meta, error = entry.execution.metadata, None if task.cancelled() else task.exception()
        logger.error("work on %s/%s broke off", meta.namespace, meta.name, exc_info=error)
        entry.timer = asyncio.get_running_loop().call_later(self._backoff(entry), self._again, entry)

    def _again(self, entry: _Entry) -> None:
        entry.timer = None
        self._force(entry)

    async def _pass(self, entry: _Entry) -> float | None:
        """Return the seconds until the next pass; None if the object is settled."""
        try:
            work, entry.broken_off = Work(entry.execution, entry.gone, entry.broken_off, entry.since), True
            with PASSES.labels(str(unanswered(entry.execution)).lower()).time():
                settlement = await self._reconcile(work)
        except Exception as error:  # noqa: BLE001 - one object must not stop the others
            return self._failed(entry, error)
        entry.passed(settlement)
        if settlement.failing:
            return self._backoff(entry)
        entry.failures = 0
        return settlement.after

    async def _reread(self, entry: _Entry) -> float | None:
        """Read the object again, as long as what is known of it may not be so any more.

        Returns the seconds until the next try, where it could not be read.
        """
        while entry.unknown:
            entry.forced, entry.left = False, -1
            try:
                entry.take(await self._read(entry.execution))
            except Exception as error:  # noqa: BLE001 - likewise
                return self._failed(entry, error)
        entry.seen = version(entry.execution)
        return None

    def _failed(self, entry: _Entry, error: Exception) -> float:
        name = f"{entry.execution.metadata.namespace}/{entry.execution.metadata.name}"
        if isinstance(error, RecordError):
            logger.warning("%s: %s; trying again", name, error)
        else:
            logger.error("a pass over %s failed", name, exc_info=error)
        return self._backoff(entry)

    def _backoff(self, entry: _Entry) -> float:
        pause = backoff(FIRST_BACKOFF, entry.failures, LONGEST_BACKOFF)
        entry.failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def version(execution: Execution) -> int:
    """Return the resourceVersion, which the API server orders."""
    return int(execution.metadata.resource_version or 0)
