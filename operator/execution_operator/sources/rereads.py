"""Executions that a feed tells of are read, and looked at: one by one, or from a list where that costs less.

Whoever tells of them does not wait for it. In each namespace the first told come first, or the last would wait for all
that come later. What can't be read is tried again. A namespace whose reads fail, or that has many to look at, does not
hold up the others.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.errors import ObjectNotFound, RecordError, Unreadable
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.runtime.backoff import REREAD_BACKOFF
from execution_operator.telemetry.metrics import VISIBILITY_POLL_FAILURES
from execution_operator.workqueue.limits import InFlight

logger = logging.getLogger(__name__)

READS, LANE, LISTS = 50, 5, 5
"""Executions that are read at once, those of one namespace, and namespaces that are listed at once. Ten namespaces
whose reads hang hold up the others' reads, not their lists.
"""

MANY, PART = 50, 5
"""A namespace is listed if so many of its Executions are told of, and they are one in so many of those open there.

To read one costs the API server and this process some 1.4 ms, to list one 0.2.
"""

AHEAD, LISTED = 50, 3000
"""A namespace is read from while it has fewer looks than AHEAD, under way or waiting, and lists are made while there
are fewer than LISTED in all; from there on a namespace is read from while it has fewer than LANE. Each has its price.
"""

SINGLY = 3
"""One in so many of these tries, the second first, reads one by one, whatever that costs: a list fails as a whole."""

HOPELESS = 50
"""Failures after which a try is given up: the rest would fail too, and comes first the next time."""

Told = dict[str, Reference]
"""Executions of one namespace by their UIDs."""


@dataclass
class _Unread:
    """Executions of one namespace that could not be read.

    Attributes:
        told: They, those that failed last at the end.
        rest: Those whose turn is yet to come in the present try.
        failures: Of the present try.
        why: The last failure.
    """

    told: Told = field(default_factory=dict)
    rest: deque[Reference] = field(default_factory=deque)
    failures: int = 0
    why: str = ""


class RereadQueue:
    """Reads the Executions that a feed tells of.

    Args:
        find: Reads one by namespace, name and UID: RecordError.
        select: Lists those of a namespace that pin an open run and have one of these UIDs: RecordError.
        runs: The open Executions.
        hinted: Called with each that is there still.
        looks: How many looks at known Executions there are, for whatever reason.
    """

    def __init__(
        self,
        find: Callable[[str, str, str], Awaitable[Execution]],
        select: Callable[[str, Container[str]], AsyncIterator[Execution]],
        runs: OpenRuns,
        hinted: Callable[[Execution], None],
        looks: InFlight,
    ) -> None:
        self._find = find
        self._select = select
        self._runs = runs
        self._hinted = hinted
        self._looks = looks
        self._reads = asyncio.Semaphore(READS)
        self._lanes: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._due: asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]] = asyncio.Queue()
        """What is to be started."""
        self._told: dict[str, deque[Reference]] = {}
        """By namespace those whose first try is yet to come; there while `_serve` takes from it."""
        self._unread: dict[str, _Unread] = {}
        """By namespace those that could not be read; there while `_retry` runs for it."""
        self._listing: dict[str, Told] = {}
        """By namespace those that are being listed, and not yet handed on."""
        self._waiting = set[str]()
        """The UIDs of all that are told of and not yet handed on: to tell of them again changes nothing."""

    @property
    def unread(self) -> int:
        """How many could not be read so far, those included that have closed since their last try."""
        return sum(len(each.told) for each in self._unread.values())

    def tell(self, references: Sequence[Reference]) -> None:
        """Have them read and looked at."""
        for one in references:
            if one.uid in self._waiting:
                continue
            self._waiting.add(one.uid)
            if one.namespace not in self._told:
                self._told[one.namespace] = deque()
                self._due.put_nowait(partial(self._serve, one.namespace))
            self._told[one.namespace].append(one)

    async def run(self) -> None:
        """Read what is told of, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                start = await self._due.get()
                group.create_task(start())

    async def _serve(self, namespace: str) -> None:
        """Try each once, and what is told of meanwhile."""
        async with asyncio.TaskGroup() as reads:
            await self._read(namespace, self._told[namespace], reads)
            del self._told[namespace]  # what is told of from now on does not wait for the last reads

    async def _retry(self, namespace: str) -> None:
        """Try again what could not be read, until all are handed on, or are not open any more."""
        unread = self._unread[namespace]
        for tries in itertools.count():
            if not unread.told:
                break
            await asyncio.sleep(REREAD_BACKOFF.delay(tries))
            unread.rest, unread.failures = deque(unread.told.values()), 0
            async with asyncio.TaskGroup() as reads:
                await self._read(namespace, unread.rest, reads, singly=tries % SINGLY == 1)
            if unread.told:
                logger.warning("%d Executions of namespace %s: %s", len(unread.told), namespace, unread.why)
        del self._unread[namespace]

    async def _read(
        self, namespace: str, told: deque[Reference], reads: asyncio.TaskGroup, *, singly: bool = False
    ) -> None:
        """Try all, the first first. None is left in `told`; single reads may be under way still."""
        lane = self._lanes.setdefault(namespace, asyncio.Semaphore(LANE))
        while told:
            await self._looks.wait_below(namespace, AHEAD if self._looks.total < LISTED else LANE)
            if count := 0 if singly else self._worth_a_list(namespace, len(told)):
                await self._try(namespace, [told.popleft() for _ in range(count)], self._list)
            elif told:  # it may have been given up meanwhile
                one = told.popleft()
                await lane.acquire()
                read = reads.create_task(self._try(namespace, [one], self._get))
                read.add_done_callback(lambda _: lane.release())

    def _worth_a_list(self, namespace: str, told: int) -> int:
        """Return how many to read from a list now; 0 where single reads cost less, or no more should be listed."""
        if namespace in self._listing or len(self._listing) >= LISTS:
            return 0
        count = min(told, LISTED - self._looks.total - sum(map(len, self._listing.values())))
        return count if count >= MANY and count * PART >= self._runs.count_in_namespace(namespace) else 0

    async def _try(
        self, namespace: str, ones: Iterable[Reference], reading: Callable[[str, Told], Awaitable[None]]
    ) -> None:
        """Read them. Those that can't be read wait for the next try with the others of their namespace."""
        told = {one.uid: one for one in ones}
        try:
            await reading(namespace, told)
        except Exception as error:
            VISIBILITY_POLL_FAILURES.inc()
            if not isinstance(error, RecordError):
                logger.exception("reading Executions of namespace %s broke", namespace)
            self._put_back(namespace, told, error)
        else:
            for one in told.values():  # what was not there
                self._done(one)

    async def _list(self, namespace: str, told: Told) -> None:
        self._listing[namespace] = told
        try:
            async for execution in self._select(namespace, frozenset(told)):
                self._hand_on(told, execution)
        finally:
            del self._listing[namespace]

    async def _get(self, namespace: str, told: Told) -> None:
        (one,) = told.values()
        async with self._reads:
            try:
                if one.uid in self._runs:
                    self._hand_on(told, await self._find(namespace, one.name, one.uid))
            except Unreadable as error:
                logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
            except ObjectNotFound:
                return

    def _hand_on(self, told: Told, execution: Execution) -> None:
        if one := told.get(execution.metadata.uid):
            self._hinted(execution)
            del told[one.uid]
            self._done(one)

    def _put_back(self, namespace: str, told: Told, error: Exception) -> None:
        if namespace not in self._unread:
            self._unread[namespace] = _Unread()
            self._due.put_nowait(partial(self._retry, namespace))
        unread = self._unread[namespace]
        unread.why = str(error) or repr(error)
        unread.failures += 1
        if unread.failures >= HOPELESS:
            unread.rest.clear()
        for uid, one in told.items():
            unread.told.pop(uid, None)
            unread.told[uid] = one

    def _done(self, one: Reference) -> None:
        self._waiting.discard(one.uid)
        if unread := self._unread.get(one.namespace):
            unread.told.pop(one.uid, None)
