"""Executions that a feed tells of are read, and looked at: one by one, or from a list where that costs less."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from execution_operator.api import Execution
from execution_operator.core.errors import Gone, Unreadable
from execution_operator.core.openruns import OpenRuns, Reference
from execution_operator.core.state import unanswered
from execution_operator.kube.client import ApiError
from execution_operator.kube.records import OPEN, ExecutionRecords
from execution_operator.kube.share import Share, tolerate

logger = logging.getLogger(__name__)

READS = 10
"""Executions that are read at once."""

MANY, PART = 50, 3
"""A namespace is listed if so many of its Executions are told of, and they are one in so many of those open there.

To read one costs the API server and this process some 1.4 ms, to list one 0.2.
"""


class Hints:
    """Reads the Executions that a feed tells of.

    Args:
        records: Where they are.
        share: What to work on.
        runs: The open Executions.
        hinted: Called with each that is there still.
    """

    def __init__(
        self, records: ExecutionRecords, share: Share, runs: OpenRuns, hinted: Callable[[Execution], None]
    ) -> None:
        self._records = records
        self._share = share
        self._runs = runs
        self._hinted = hinted
        self._slots = asyncio.Semaphore(READS)

    async def tell(self, references: Sequence[Reference]) -> None:
        """Read them all, and have them looked at.

        Raises:
            ApiError: Some could not be read, and should be told of again.
        """
        told: defaultdict[str, list[Reference]] = defaultdict(list)
        for one in references:
            told[one.namespace].append(one)
        await _all(self._tell(namespace, ones) for namespace, ones in told.items())

    async def _tell(self, namespace: str, told: list[Reference]) -> None:
        if len(told) >= MANY and len(told) * PART >= self._runs.of_namespace(namespace):
            told = await self._list(namespace, told)
        await _all(map(self._read, told))

    async def _list(self, namespace: str, told: list[Reference]) -> list[Reference]:
        """Tell of those that a list holds, but return those with a request: it may have been withdrawn since."""
        wanted = {one.uid: one for one in told}
        asked = list[Reference]()
        try:
            async for execution in self._records.select(self._share.selection(namespace, OPEN)):
                if one := wanted.get(execution.metadata.uid):
                    if unanswered(execution):
                        asked.append(one)
                    else:
                        self._hinted(execution)
        except ApiError as error:
            tolerate(error, f"namespace {namespace}")
        return asked

    async def _read(self, one: Reference) -> None:
        async with self._slots:
            try:
                self._hinted(await self._records.find(one.namespace, one.name, one.uid))
            except Gone:
                return
            except Unreadable as error:  # the others must not wait for it
                logger.error("passed over: %s", error)  # noqa: TRY400 - says it all
            except ApiError as error:
                tolerate(error, f"{one.namespace}/{one.name}")


async def _all(tellings: Iterable[Awaitable[None]]) -> None:
    """Wait for all of them, also where one fails, and raise the first failure then."""
    failures = [one for one in await asyncio.gather(*tellings, return_exceptions=True) if one]
    if failures:
        raise failures[0]
