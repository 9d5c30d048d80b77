"""Executions that a feed tells of are read, and looked at: one by one, or from a list where that costs less.

Whoever tells of them does not wait for it. What can't be read is tried again later, and holds up nothing else.
"""

import asyncio
import itertools
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence

from execution_operator.api import Execution
from execution_operator.core.errors import Gone, RecordError, Unreadable
from execution_operator.core.openruns import OpenRuns, Reference
from execution_operator.metrics import FEED_FAILURES
from execution_operator.pacer import backoff

logger = logging.getLogger(__name__)

READS, LISTS = 10, 5
"""Executions that are read at once, and namespaces that are listed."""

MANY, PART = 50, 3
"""A namespace is listed if so many of its Executions are told of, and they are one in so many of those open there.

To read one costs the API server and this process some 1.4 ms, to list one 0.2.
"""

AGAIN, LONGEST = 1.0, 60.0
"""Seconds until what could not be read is tried again, and at most; doubled each time."""

SINGLY = 3
"""Every try of so many reads one by one, whatever that costs: a list fails as a whole."""


class Hints:
    """Reads the Executions that a feed tells of.

    Args:
        find: Reads one by namespace, name and UID: RecordError.
        select: Lists those of a namespace that pin an open run and have one of these UIDs: RecordError.
        runs: The open Executions.
        hinted: Called with each that is there still.
        room: Waits until there is room for one more look.
    """

    def __init__(
        self,
        find: Callable[[str, str, str], Awaitable[Execution]],
        select: Callable[[str, Container[str]], AsyncIterator[Execution]],
        runs: OpenRuns,
        hinted: Callable[[Execution], None],
        room: Callable[[], Awaitable[object]],
    ) -> None:
        self._find = find
        self._select = select
        self._runs = runs
        self._hinted = hinted
        self._room = room
        self._reads, self._lists = asyncio.Semaphore(READS), asyncio.Semaphore(LISTS)
        self._told: asyncio.Queue[list[Reference]] = asyncio.Queue()
        self._waiting = set[str]()
        """The UIDs of those that are told of and not yet handed on: to tell of them again changes nothing."""

    def tell(self, references: Sequence[Reference]) -> None:
        """Have them read and looked at."""
        told: defaultdict[str, list[Reference]] = defaultdict(list)
        for one in references:
            if one.uid not in self._waiting:
                self._waiting.add(one.uid)
                told[one.namespace].append(one)
        for ones in told.values():
            self._told.put_nowait(ones)

    async def run(self) -> None:
        """Read what is told of, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._serve(await self._told.get()))

    async def _serve(self, told: list[Reference]) -> None:
        """Read some of one namespace, until all are handed on, or are not open any more."""
        left = {one.uid: one for one in told}
        for failures in itertools.count():
            try:
                await self._read(left, listed=(failures + 1) % SINGLY > 0)
            except RecordError as error:
                logger.warning("%d Executions of namespace %s: %s", len(left), told[0].namespace, error)
            except Exception:
                logger.exception("reading Executions of namespace %s broke", told[0].namespace)
            for uid in [uid for uid in left if uid not in self._runs]:
                self._done(left, uid)
            if not left:
                return
            FEED_FAILURES.inc()
            await asyncio.sleep(backoff(AGAIN, failures, LONGEST))

    async def _read(self, left: dict[str, Reference], *, listed: bool) -> None:
        """Read them all once, and raise the first failure then."""
        namespace = next(iter(left.values())).namespace
        if listed and len(left) >= MANY and len(left) * PART >= self._runs.of_namespace(namespace):
            await self._read_list(namespace, left)
        else:
            readings = await asyncio.gather(*(self._read_one(left, one) for one in left.values()))
            if failures := list(filter(None, readings)):
                raise failures[0]

    async def _read_list(self, namespace: str, left: dict[str, Reference]) -> None:
        async with self._lists:
            async for execution in self._select(namespace, frozenset(left)):
                await self._room()
                self._done(left, execution.metadata.uid)
                self._hinted(execution)
        for uid in tuple(left):  # the others are not open any more
            self._done(left, uid)

    async def _read_one(self, left: dict[str, Reference], one: Reference) -> RecordError | None:
        async with self._reads:
            await self._room()
            try:
                execution = await self._find(one.namespace, one.name, one.uid)
            except Gone:
                self._done(left, one.uid)
            except Unreadable as error:
                logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
                self._done(left, one.uid)
            except RecordError as error:
                return error
            else:
                self._done(left, one.uid)
                self._hinted(execution)
            return None

    def _done(self, left: dict[str, Reference], uid: str) -> None:
        left.pop(uid, None)
        self._waiting.discard(uid)
