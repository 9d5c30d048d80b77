"""A queue of objects to bring up to date: one worker an object at a time, the newest state wins, failures wait longer.

Nothing is kept for an object once it is settled.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError
from execution_operator.ports import WOKEN, Settlement, Work

logger = logging.getLogger(__name__)

FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 60.0
"""Seconds before the first retry and at most; doubled each time, jittered."""


@dataclass
class _Entry:
    """An object with work to do.

    Attributes:
        execution: Its newest known state.
        due: Whether that is a state that no pass has seen yet.
        reread: Whether it must be read again, and passed over again, whatever came in meanwhile.
        gone: Whether reading it showed that it is no longer there.
        broken_off: Whether the last pass did not come to its end.
    """

    execution: Execution
    due: bool = True
    reread: bool = False
    gone: bool = False
    broken_off: bool = False
    failures: int = 0
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None

    def renew(self, execution: Execution) -> None:
        """Take in a state, and forget that earlier ones failed."""
        self.execution, self.due, self.failures = execution, True, 0


class WorkQueue:
    """Executions by UID.

    Args:
        reconcile: One pass over a state.
        read: Reads an object again; None where it is gone.
        slots: How many passes may be under way at once.
    """

    def __init__(
        self,
        reconcile: Callable[[Work], Awaitable[Settlement]],
        read: Callable[[Execution], Awaitable[Execution | None]],
        slots: int = 100,
    ) -> None:
        self._reconcile = reconcile
        self._read = read
        self._slots = asyncio.Semaphore(slots)
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, execution: Execution) -> None:
        """Take a state in, unless it is known already and being worked on, or waits for its time."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is None:
            entry = self._entries[execution.metadata.uid] = _Entry(execution)
        elif version(execution) > version(entry.execution):
            entry.renew(execution)
        elif entry.task is not None or entry.timer is not None:
            return
        else:
            entry.due = True
        self._start(entry)

    def refresh(self, execution: Execution) -> None:
        """Have an object that is being worked on, or waits, read again and worked on now."""
        if entry := self._entries.get(execution.metadata.uid):
            entry.reread = True
            self._start(entry)

    def wake(self, execution: Execution) -> None:
        """Work on the object now, known or not: something that it depends on has changed."""
        entry = self._entries.get(execution.metadata.uid)
        if entry is None:
            self.add(execution)
        elif entry.task is None and version(execution) >= version(entry.execution):
            entry.renew(execution)
            self._start(entry)
        else:
            self.refresh(execution)

    def wake_idle(self, namespaces: set[str]) -> None:
        """Read again and work on what waits in these namespaces without a time of its own."""
        for entry in self._entries.values():
            if entry.execution.metadata.namespace in namespaces and entry.task is None and entry.timer is None:
                self.refresh(entry.execution)

    async def drain(self, seconds: float) -> None:
        """Take nothing more up, let passes under way finish within the time, and cancel the rest."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for entry in self._entries.values():
            if entry.timer is not None:
                entry.timer.cancel()
            entry.due = entry.reread = False
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _start(self, entry: _Entry) -> None:
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        if entry.task is None:
            entry.task = asyncio.create_task(self._work(entry))

    async def _work(self, entry: _Entry) -> None:
        """Run passes until no newer state is known, then forget the object or set its alarm."""
        pause: float | None = None
        async with self._slots:
            while entry.due or entry.reread:
                pause = await self._pass(entry)
        entry.task = None
        if pause is None:
            del self._entries[entry.execution.metadata.uid]
        elif pause is not WOKEN:
            entry.timer = asyncio.get_running_loop().call_later(pause, self._again, entry)

    def _again(self, entry: _Entry) -> None:
        entry.timer = None
        self.refresh(entry.execution)

    async def _pass(self, entry: _Entry) -> float | None:
        """Return the seconds until the next pass; None if the object is settled."""
        try:
            execution = await self._state(entry)
            work, entry.broken_off = Work(execution, entry.gone, entry.broken_off), True
            settlement = await self._reconcile(work)
            entry.broken_off = False
        except RecordError as error:
            meta = entry.execution.metadata
            logger.warning("%s/%s: %s", meta.namespace, meta.name, error)
            return self._backoff(entry)
        except Exception:
            meta = entry.execution.metadata
            logger.exception("a pass over %s/%s failed", meta.namespace, meta.name)
            return self._backoff(entry)
        if version(settlement.execution) >= version(entry.execution):
            entry.execution = settlement.execution
            entry.due = False  # what came in meanwhile was the echo of our own writes
        if settlement.failing:
            return self._backoff(entry)
        entry.failures = 0
        return settlement.after

    async def _state(self, entry: _Entry) -> Execution:
        """Return the state to work on, read again where that was asked for."""
        entry.due = False
        if entry.reread:
            entry.reread = False
            now = await self._read(entry.execution)
            entry.gone = now is None
            if now is not None and version(now) >= version(entry.execution):
                entry.execution = now
        return entry.execution

    def _backoff(self, entry: _Entry) -> float:
        pause = min(FIRST_BACKOFF * 2.0**entry.failures, LONGEST_BACKOFF)
        entry.failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def version(execution: Execution) -> int:
    """Return the resourceVersion, which the API server orders."""
    return int(execution.metadata.resource_version or 0)
