"""Executions that a feed tells of are read, and looked at: one by one, or from a list where that costs less.

Whoever tells of them does not wait for it. What can't be read is tried again later. A namespace whose reads fail, or
that has many to look at, holds up no other.
"""

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence

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
"""Executions of a namespace that wait to be looked at when no more of them are read, and of all when none is listed:
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
        self._told: asyncio.Queue[tuple[str, Told]] = asyncio.Queue()
        self._waiting = set[str]()
        """The UIDs of those that are told of and not yet handed on: to tell of them again changes nothing."""
        self._ahead: defaultdict[str, set[str]] = defaultdict(set)
        """By namespace the UIDs of those that were handed on, and perhaps wait to be looked at."""
        self._unread: dict[str, Told] = {}
        """By namespace those that could not be read."""

    def tell(self, references: Sequence[Reference]) -> None:
        """Have them read and looked at."""
        told: defaultdict[str, Told] = defaultdict(dict)
        for one in references:
            if one.uid not in self._waiting:
                told[one.namespace][one.uid] = one
        for namespace, ones in told.items():
            self._waiting |= ones.keys()
            self._told.put_nowait((namespace, ones))

    async def run(self) -> None:
        """Read what is told of, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                namespace, told = await self._told.get()
                group.create_task(self._serve(namespace, told, group))

    async def _serve(self, namespace: str, told: Told, group: asyncio.TaskGroup) -> None:
        """Try at once. What can't be read waits with the others of its namespace."""
        if not await self._try(namespace, told):
            return
        if namespace in self._unread:
            self._unread[namespace] |= told
        else:
            self._unread[namespace] = told
            group.create_task(self._retry(namespace))

    async def _retry(self, namespace: str) -> None:
        """Try again, until all are handed on, or are not open any more."""
        for failures in itertools.count():
            UNREAD.set(sum(map(len, self._unread.values())))
            if not self._unread[namespace]:
                break
            await asyncio.sleep(backoff(AGAIN, failures, LONGEST))
            told, self._unread[namespace] = self._unread[namespace], {}
            if error := await self._try(namespace, told, singly=failures % SINGLY == 1):
                logger.warning("%d Executions of namespace %s: %s", len(told), namespace, error)
                self._unread[namespace] |= told
        del self._unread[namespace]

    async def _try(self, namespace: str, told: Told, *, singly: bool = False) -> Exception | None:
        """Read them all once, and return a failure. Left in `told` is what should be tried again."""
        failures = list[Exception]()
        try:
            if singly or not self._worth_a_list(namespace, told):
                failures = await self._read_singly(told)
            else:
                await self._read_list(namespace, told)
        except Exception as error:  # noqa: BLE001 - one namespace must not stop the others
            failures = [error]
        for one in failures:
            if not isinstance(one, RecordError):
                logger.error("reading Executions of namespace %s broke", namespace, exc_info=one)
        for uid in [uid for uid in told if uid not in self._runs]:
            self._done(told, uid)
        if failures:
            FEED_FAILURES.inc()
        return failures[0] if failures and told else None

    def _worth_a_list(self, namespace: str, told: Told) -> bool:
        if len(told) < MANY or len(told) * PART < self._runs.of_namespace(namespace):
            return False
        return sum(map(self._look_ahead, tuple(self._ahead))) + len(told) <= LISTED

    async def _read_list(self, namespace: str, told: Told) -> None:
        async with self._lists:
            async for execution in self._select(namespace, frozenset(told)):
                self._hand_on(told, execution)
        for uid in tuple(told):  # the others are not open any more
            self._done(told, uid)

    async def _read_singly(self, told: Told) -> list[Exception]:
        lane = asyncio.Semaphore(LANE)
        readings = await asyncio.gather(*(self._read(told, one, lane) for one in told.values()), return_exceptions=True)
        return [one for one in readings if isinstance(one, Exception)]

    async def _read(self, told: Told, one: Reference, lane: asyncio.Semaphore) -> None:
        async with lane:
            while self._look_ahead(one.namespace) >= AHEAD:  # noqa: ASYNC110 (looks take their time)
                await asyncio.sleep(ROOM)
            if one.uid not in self._runs:
                return self._done(told, one.uid)
            async with self._reads:
                try:
                    self._hand_on(told, await self._find(one.namespace, one.name, one.uid))
                except Gone:
                    self._done(told, one.uid)
                except Unreadable as error:
                    logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
                    self._done(told, one.uid)

    def _look_ahead(self, namespace: str) -> int:
        """Return how many of a namespace wait to be looked at."""
        ahead = {uid for uid in self._ahead.pop(namespace, ()) if self._busy(uid)}
        if ahead:
            self._ahead[namespace] = ahead
        return len(ahead)

    def _hand_on(self, told: Told, execution: Execution) -> None:
        self._done(told, execution.metadata.uid)
        self._ahead[execution.metadata.namespace].add(execution.metadata.uid)
        self._hinted(execution)

    def _done(self, told: Told, uid: str) -> None:
        told.pop(uid, None)
        self._waiting.discard(uid)
