"""How a batch of Executions is read, and the batches that failed."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from execution_operator.api import Execution
from execution_operator.core.errors import ObjectNotFound, Unreadable
from execution_operator.index.open_runs import OpenRuns, Reference

logger = logging.getLogger(__name__)

MAX_PARALLEL_READS = 50
"""Executions that are read at the same time. Ten namespaces whose reads hang hold up all single reads, but no list."""

MAX_PARALLEL_READS_PER_NAMESPACE = 5
"""Executions of one namespace that are read at the same time."""

MAX_ERRORS_PER_ATTEMPT = 50
"""Errors after which a retry of a namespace is given up. Those that it did not reach come first the next time."""

Batch = dict[str, Reference]
"""Executions of one namespace by UID. A read removes those that it has passed on."""


class Reader:
    """Reads batches.

    Args:
        read: See `RereadQueue`.
        list_pinned: See `RereadQueue`.
        open_runs: See `RereadQueue`.
        on_read: See `RereadQueue`.
        on_done: Called with the reference of each Execution that was passed on.
    """

    def __init__(
        self,
        read: Callable[[str, str, str], Awaitable[Execution]],
        list_pinned: Callable[[str, Container[str]], AsyncIterator[Execution]],
        open_runs: OpenRuns,
        on_read: Callable[[Execution], None],
        on_done: Callable[[Reference], None],
    ) -> None:
        self._read = read
        self._list_pinned = list_pinned
        self._open_runs = open_runs
        self._on_read = on_read
        self._on_done = on_done
        self._parallel = asyncio.Semaphore(MAX_PARALLEL_READS)
        self._slots: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def slots(self, namespace: str) -> asyncio.Semaphore:
        """Return the slots for single reads of a namespace."""
        return self._slots.setdefault(namespace, asyncio.Semaphore(MAX_PARALLEL_READS_PER_NAMESPACE))

    async def list(self, namespace: str, batch: Batch) -> None:
        """Pass on the Executions of a batch from one list."""
        async for execution in self._list_pinned(namespace, frozenset(batch)):
            self._pass_on(batch, execution)

    async def read(self, batch: Batch) -> None:
        """Pass on the only Execution of a batch. One that has closed since, or that no longer exists, is left out."""
        (reference,) = batch.values()
        async with self._parallel:
            if reference.uid not in self._open_runs:
                return
            try:
                self._pass_on(batch, await self._read(reference.namespace, reference.name, reference.uid))
            except Unreadable as error:
                logger.error("an Execution is left out until it fits its schema: %s", error)  # noqa: TRY400
            except ObjectNotFound:
                return

    def _pass_on(self, batch: Batch, execution: Execution) -> None:
        if reference := batch.get(execution.metadata.uid):
            self._on_read(execution)
            del batch[reference.uid]
            self._on_done(reference)


@dataclass
class FailedBatch:
    """Executions of one namespace that could not be read.

    Attributes:
        references: The Executions, the last failed last.
        last_error: The last error, for the log.
    """

    references: Batch = field(default_factory=dict)
    last_error: str = ""
    _waiting: deque[Reference] = field(default_factory=deque)
    _errors: int = 0

    def begin_attempt(self) -> deque[Reference]:
        """Return the Executions to read, in their order. The attempt is given up by emptying this."""
        self._waiting, self._errors = deque(self.references.values()), 0
        return self._waiting

    def add(self, batch: Batch, error: Exception) -> None:
        """Add Executions whose read failed. After too many errors the present attempt is given up."""
        self.last_error = str(error) or repr(error)
        self._errors += 1
        if self._errors >= MAX_ERRORS_PER_ATTEMPT:
            self._waiting.clear()
        for uid, reference in batch.items():
            self.references.pop(uid, None)
            self.references[uid] = reference


class FailedRereads:
    """The failed batches by namespace."""

    def __init__(self) -> None:
        self._by_namespace: dict[str, FailedBatch] = {}

    @property
    def total(self) -> int:
        """How many Executions could not be read."""
        return sum(len(failed.references) for failed in self._by_namespace.values())

    def of(self, namespace: str) -> FailedBatch:
        """Return the failed batch of a namespace that has one."""
        return self._by_namespace[namespace]

    def add(self, namespace: str, batch: Batch, error: Exception) -> bool:
        """Add Executions whose read failed. Return whether they are the first of their namespace."""
        first = namespace not in self._by_namespace
        self._by_namespace.setdefault(namespace, FailedBatch()).add(batch, error)
        return first

    def remove(self, reference: Reference) -> None:
        """Remove an Execution that was passed on or no longer exists."""
        if failed := self._by_namespace.get(reference.namespace):
            failed.references.pop(reference.uid, None)

    def drop(self, namespace: str) -> None:
        """Remove the namespace, whose Executions are all read."""
        del self._by_namespace[namespace]
