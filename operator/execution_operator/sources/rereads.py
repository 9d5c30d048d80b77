"""Reads the Executions whose run seems to have changed, and passes them on to be reconciled.

They are read one by one, or from a list where that is cheaper. `add` never waits. In each namespace the reads keep the
order of `add`, so that no Execution waits for later ones. A failed read is tried again. A namespace whose reads fail or
hang, or that is busy, does not hold up the other namespaces.
"""

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Coroutine, Sequence
from functools import partial
from typing import Any

from execution_operator.api import Execution
from execution_operator.core.errors import RecordError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.runtime.backoff import REREAD_BACKOFF
from execution_operator.sources.reread_batches import Batch, FailedRereads, Reader
from execution_operator.telemetry.metrics import REREAD_FAILURES
from execution_operator.workqueue.limits import InFlight

logger = logging.getLogger(__name__)

MAX_QUEUED_PER_NAMESPACE = 50
"""Reads of a namespace pause while this many of its Executions are reconciled or wait for it. Each costs memory."""

MAX_QUEUED = 3000
"""Lists pause while this many Executions of all namespaces are reconciled or wait for it."""

MAX_QUEUED_PER_NAMESPACE_IF_FULL = 5
"""Replaces MAX_QUEUED_PER_NAMESPACE while MAX_QUEUED is reached."""

MAX_PARALLEL_LISTS = 5
"""Namespaces that are listed at the same time."""

MIN_EXECUTIONS_TO_LIST = 50
"""A namespace is listed only for this many of its Executions."""

MAX_OPEN_FOR_EACH_LISTED = 5
"""A namespace is listed only if it has at most this many open Executions for each one to read.

A single read costs the API server and this process some 1.4 ms, an Execution in a list 0.2 ms.
"""

SINGLE_READS_EVERY = 3
"""Each third retry reads one by one, the second retry first, whatever that costs: a list fails as a whole."""


class RereadQueue:
    """Executions to read again.

    Args:
        read: Reads an Execution by namespace, name and UID. It raises a RecordError where that fails.
        list_pinned: Lists the Executions of a namespace that pin an open run and have one of the UIDs. It raises a
            RecordError where that fails.
        open_runs: The index of the open Executions. Those that have left it are not read.
        on_read: Called with each Execution that still exists.
        in_flight: The reconciles of known Executions that are under way or waiting, for whatever reason.
    """

    def __init__(
        self,
        read: Callable[[str, str, str], Awaitable[Execution]],
        list_pinned: Callable[[str, Container[str]], AsyncIterator[Execution]],
        open_runs: OpenRuns,
        on_read: Callable[[Execution], None],
        in_flight: InFlight,
    ) -> None:
        self._open_runs = open_runs
        self._in_flight = in_flight
        self._failures = FailedRereads()
        self._reader = Reader(read, list_pinned, open_runs, on_read, self._forget)
        self._starts: asyncio.Queue[Callable[[], Coroutine[Any, Any, None]]] = asyncio.Queue()
        """Coroutines that `run` starts."""
        self._new: dict[str, deque[Reference]] = {}
        """By namespace: Executions that were not read yet. A namespace is a key while `_read_new` runs for it."""
        self._listing: dict[str, Batch] = {}
        """By namespace: Executions that are being listed, and were not found in the list yet."""
        self._known = set[str]()
        """UIDs of all Executions that were added and are not read yet. To add one of them again changes nothing."""

    @property
    def failed(self) -> int:
        """How many Executions could not be read so far. Some may have closed since their last read."""
        return self._failures.total

    def add(self, references: Sequence[Reference]) -> None:
        """Have Executions read and passed on."""
        for reference in references:
            if reference.uid in self._known:
                continue
            self._known.add(reference.uid)
            if reference.namespace not in self._new:
                self._new[reference.namespace] = deque()
                self._starts.put_nowait(partial(self._read_new, reference.namespace))
            self._new[reference.namespace].append(reference)

    async def run(self) -> None:
        """Read what is added, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                start = await self._starts.get()
                group.create_task(start())

    async def _read_new(self, namespace: str) -> None:
        """Read each Execution of a namespace once, and those that are added meanwhile."""
        async with asyncio.TaskGroup() as reads:
            await self._read_all(namespace, self._new[namespace], reads)
            del self._new[namespace]  # Executions that are added from now on do not wait for the last reads

    async def _retry(self, namespace: str) -> None:
        """Read failed Executions of a namespace again, until all are passed on or have closed."""
        failed = self._failures.of(namespace)
        for attempt in itertools.count():
            if not failed.references:
                break
            await asyncio.sleep(REREAD_BACKOFF.delay(attempt))
            async with asyncio.TaskGroup() as reads:
                singly = attempt % SINGLE_READS_EVERY == 1
                await self._read_all(namespace, failed.begin_attempt(), reads, singly=singly)
            if failed.references:
                count, reason = len(failed.references), failed.last_error
                logger.warning(
                    "%d Executions of namespace %s could not be read, retrying: %s", count, namespace, reason
                )
        self._failures.drop(namespace)

    async def _read_all(
        self, namespace: str, references: deque[Reference], reads: asyncio.TaskGroup, *, singly: bool = False
    ) -> None:
        """Read all, the first first. `references` is empty then; single reads may still be under way."""
        slots = self._reader.slots(namespace)
        while references:
            full = self._in_flight.total >= MAX_QUEUED
            limit = MAX_QUEUED_PER_NAMESPACE_IF_FULL if full else MAX_QUEUED_PER_NAMESPACE
            await self._in_flight.wait_below(namespace, limit)
            if count := 0 if singly else self._number_to_list(namespace, len(references)):
                await self._list([references.popleft() for _ in range(count)])
            elif references:  # a failed attempt may have been given up meanwhile
                reference = references.popleft()
                await slots.acquire()
                read = reads.create_task(self._try([reference], self._reader.read))
                read.add_done_callback(lambda _: slots.release())

    def _number_to_list(self, namespace: str, waiting: int) -> int:
        """Return how many Executions to take from one list now; 0 for single reads, where these are cheaper."""
        if namespace in self._listing or len(self._listing) >= MAX_PARALLEL_LISTS:
            return 0
        room = MAX_QUEUED - self._in_flight.total - sum(map(len, self._listing.values()))
        count, open_ones = min(waiting, room), self._open_runs.count_in_namespace(namespace)
        return count if count >= MIN_EXECUTIONS_TO_LIST and open_ones <= count * MAX_OPEN_FOR_EACH_LISTED else 0

    async def _list(self, references: list[Reference]) -> None:
        namespace = references[0].namespace

        async def listed(batch: Batch) -> None:
            self._listing[namespace] = batch
            try:
                await self._reader.list(namespace, batch)
            finally:
                del self._listing[namespace]

        await self._try(references, listed)

    async def _try(self, references: list[Reference], read: Callable[[Batch], Awaitable[None]]) -> None:
        """Read a batch. Executions that can't be read wait for the next attempt of their namespace."""
        namespace, batch = references[0].namespace, {reference.uid: reference for reference in references}
        try:
            await read(batch)
        except Exception as error:
            REREAD_FAILURES.inc()
            if not isinstance(error, RecordError):
                logger.exception("reading Executions of namespace %s failed", namespace)
            if self._failures.add(namespace, batch, error):
                self._starts.put_nowait(partial(self._retry, namespace))
        else:
            for reference in batch.values():  # Executions that no longer exist
                self._forget(reference)

    def _forget(self, reference: Reference) -> None:
        self._known.discard(reference.uid)
        self._failures.remove(reference)
