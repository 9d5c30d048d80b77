"""A round that is made at once, then at intervals, and whenever it is called for; soon again where it failed."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterable

from execution_operator.core.errors import RecordError
from execution_operator.runtime.backoff import backoff

logger = logging.getLogger(__name__)

SWEEP = 60.0
"""Seconds between two rounds, jittered."""

GAP, LONGEST_GAP = 0.2, 10.0
"""Seconds at least between two rounds, and at most after one that failed."""


class PeriodicTask:
    """Rounds without end.

    Args:
        round_: Makes one; told the namespaces that it was called for. A RecordError has it made again.
    """

    def __init__(self, round_: Callable[[set[str]], Awaitable[None]]) -> None:
        self._round = round_
        self._namespaces: set[str] = set()
        self._called = asyncio.Event()

    def call(self, namespaces: Iterable[str] = ()) -> None:
        """Have a round made now, or right after the one that is being made."""
        self._namespaces.update(namespaces)
        self._called.set()

    async def run(self) -> None:
        """Make rounds, until cancelled."""
        failures = 0
        while True:
            namespaces, self._namespaces = self._namespaces, set()
            self._called.clear()
            try:
                await self._round(namespaces)
                failures = 0
                await self._pause()
            except RecordError as error:
                self._namespaces |= namespaces
                failures += 1
                logger.warning("sweep: %s", error)
                await asyncio.sleep(backoff(GAP, failures, LONGEST_GAP))

    async def _pause(self) -> None:
        await asyncio.sleep(GAP)
        try:
            async with asyncio.timeout(SWEEP * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                await self._called.wait()
        except TimeoutError:
            return
