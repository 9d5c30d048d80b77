"""Executions that a feed tells of are read, and looked at: one by one, or from a list where that costs less.

Whoever tells of them does not wait for it. In each namespace the first told come first, or the last would wait for all
that come later. What can't be read is tried again. A namespace whose reads fail, or that has many to look at, holds up
no other.
"""

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Coroutine, Sequence
from typing import Any
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.errors import Gone, RecordError, Unreadable
from execution_operator.core.openruns import OpenRuns, Reference
from execution_operator.metrics import FEED_FAILURES, UNREAD
from execution_operator.pacer import backoff

logger = logging.getLogger(__name__)

READS, LANE, LISTS = 10, 5, 5
"""Executions that are read at once, those of one namespace, and namespaces that are listed."""

MANY, PART = 50, 3
"""A namespace is listed if so many of its Executions are told of, and they are one in so many of those open there.

To read one costs the API server and this process some 1.4 ms, to list one 0.2.
"""

AHEAD, LISTED = 50, 3000
"""Executions of a namespace that wait to be looked at when no more of it are read, and of all when none are listed:
each that waits has its price.
"""

ROOM = 0.05
"""Seconds between two looks for room."""

AGAIN, LONGEST = 1.0, 60.0
"""Seconds until what could not be read is tried again, and at most; doubled each time."""

SINGLY = 3
"""Every try of so many reads one by one, whatever that costs: a list fails as a whole."""

Told = dict[str, Reference]
"""Executions of one namespace by their UIDs."""


class Hints:
    """Reads the Executions that a feed tells of.

    Args:
        find: Reads one by namespace, name and UID: RecordError.
        select: Lists those of a namespace that pin an open run and have one of these UIDs: RecordError.
        runs: The open Executions.
        hinted: Called with each that is there still.
        busy: Tells by its UID whether an Execution is being looked at, or waits for it.
    """

    def __init__(
        self,
        find: Callable[[str, str, str], Awaitable[Execution]],
        select: Callable[[str, Container[str]], AsyncIterator[Execution]],
        runs: OpenRuns,
        hinted: Callable[[Execution], None],
        busy: Callable[[str], bool],
    ) -> None:
        self._find = find
        self._select = select
        self._runs = runs
        self._hinted = hinted
        self._busy = busy
        self._reads, self._lists = asyncio.Semaphore(READS), asyncio.Semaphore(LISTS)
        self._lanes: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._begun: asyncio.Queue[tuple[Callable[[str], Coroutine[Any, Any, None]], str]] = asyncio.Queue()
        """What is to be done for a namespace that it was not done for just now."""
        self._told: dict[str, Told] = {}
        """By namespace those that wait to be read, the first told first."""
        self._waiting = set[str]()
        """The UIDs of those that are told of and not yet handed on: to tell of them again changes nothing."""
        self._ahead: defaultdict[str, set[str]] = defaultdict(set)
        """By namespace the UIDs of those that were handed on, and perhaps wait to be looked at."""
        self._unread: dict[str, dict[str, tuple[Reference, Exception]]] = {}
        """By namespace and UID those that could not be read, and why."""

    def tell(self, references: Sequence[Reference]) -> None:
        """Have them read and looked at."""
        for one in references:
            if one.uid in self._waiting:
                continue
            self._waiting.add(one.uid)
            if one.namespace not in self._told:
                self._told[one.namespace] = {}
                self._begun.put_nowait((self._serve, one.namespace))
            self._told[one.namespace][one.uid] = one

    async def run(self) -> None:
        """Read what is told of, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                work, namespace = await self._begun.get()
                group.create_task(work(namespace))

    async def _serve(self, namespace: str) -> None:
        """Read what is told of, and what is told of meanwhile."""
        while told := self._told[namespace]:
            await self._read(namespace, told)
        del self._told[namespace]

    async def _retry(self, namespace: str) -> None:
        """Try again what could not be read, until all are handed on, or are not open any more."""
        for failures in itertools.count():
            UNREAD.set(sum(map(len, self._unread.values())))
            if not self._unread[namespace]:
                break
            await asyncio.sleep(backoff(AGAIN, failures, LONGEST))
            unread, self._unread[namespace] = self._unread[namespace], {}
            told = {uid: one for uid, (one, _) in unread.items()}
            await self._read(namespace, told, singly=failures % SINGLY == 1)
            for _, error in itertools.islice(self._unread[namespace].values(), 1):
                logger.warning("%d Executions of namespace %s: %s", len(self._unread[namespace]), namespace, error)
        del self._unread[namespace]

    async def _read(self, namespace: str, told: Told, *, singly: bool = False) -> None:
        """Try all once, the first told first: none is left in `told`."""
        lane = self._lanes.setdefault(namespace, asyncio.Semaphore(LANE))
        async with asyncio.TaskGroup() as reads:
            while told:
                await self._room(namespace)
                if not singly and self._worth_a_list(namespace, told):
                    ones = told.copy()
                    told.clear()
                    await self._try(namespace, ones, self._list)
                else:
                    await lane.acquire()
                    one = told.pop(next(iter(told)))
                    read = reads.create_task(self._try(namespace, {one.uid: one}, self._get))
                    read.add_done_callback(lambda _: lane.release())

    async def _room(self, namespace: str) -> None:
        """Wait while many of a namespace wait to be looked at."""
        while self._look_ahead(namespace) >= AHEAD:  # noqa: ASYNC110 (looks take their time)
            await asyncio.sleep(ROOM)

    def _look_ahead(self, namespace: str) -> int:
        """Return how many of a namespace wait to be looked at."""
        ahead = {uid for uid in self._ahead.pop(namespace, ()) if self._busy(uid)}
        if ahead:
            self._ahead[namespace] = ahead
        return len(ahead)

    def _worth_a_list(self, namespace: str, told: Told) -> bool:
        if len(told) < MANY or len(told) * PART < self._runs.of_namespace(namespace):
            return False
        return sum(map(self._look_ahead, tuple(self._ahead))) + len(told) <= LISTED

    async def _try(self, namespace: str, told: Told, reading: Callable[[str, Told], Awaitable[None]]) -> None:
        """Read them. What can't be read waits for the next try with the others of its namespace."""
        try:
            await reading(namespace, told)
        except Exception as error:
            FEED_FAILURES.inc()
            if not isinstance(error, RecordError):
                logger.exception("reading Executions of namespace %s broke", namespace)
            self._put_back(namespace, told, error)
        else:
            self._waiting -= told.keys()  # what was not there

    def _put_back(self, namespace: str, told: Told, error: Exception) -> None:
        unread = {uid: (one, error) for uid, one in told.items() if uid in self._runs}
        self._waiting -= told.keys() - unread.keys()  # the others are not open any more
        if unread and namespace not in self._unread:
            self._unread[namespace] = {}
            self._begun.put_nowait((self._retry, namespace))
        self._unread.get(namespace, {}).update(unread)

    async def _list(self, namespace: str, told: Told) -> None:
        async with self._lists:
            async for execution in self._select(namespace, frozenset(told)):
                self._hand_on(told, execution)

    async def _get(self, namespace: str, told: Told) -> None:
        (one,) = told.values()
        async with self._reads:
            try:
                if one.uid in self._runs:
                    self._hand_on(told, await self._find(namespace, one.name, one.uid))
            except Unreadable as error:
                logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
            except Gone:
                return

    def _hand_on(self, told: Told, execution: Execution) -> None:
        uid, namespace = execution.metadata.uid, execution.metadata.namespace
        told.pop(uid, None)
        self._waiting.discard(uid)
        self._ahead[namespace].add(uid)
        self._hinted(execution)
