"""A task that runs at once, then at intervals, and whenever it is triggered. A failed round is repeated soon."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from execution_operator.core.errors import RecordError
from execution_operator.runtime.backoff import RELIST_BACKOFF, jitter

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0
"""Seconds between two rounds that nobody triggered. Jitter changes it by up to a fifth."""

MIN_GAP_SECONDS = 0.2
"""Shortest pause in seconds between two rounds."""


class PeriodicTask:
    """Runs rounds until it is cancelled.

    Args:
        round_: Runs one round. It gets the namespaces that triggered the round. If it raises a RecordError, the round
            is repeated with the same namespaces after a backoff.
    """

    def __init__(self, round_: Callable[[set[str]], Awaitable[None]]) -> None:
        self._round = round_
        self._namespaces: set[str] = set()
        self._triggered = asyncio.Event()

    def trigger(self, namespaces: Iterable[str] = ()) -> None:
        """Run a round now. If a round is under way, another one follows it."""
        self._namespaces.update(namespaces)
        self._triggered.set()

    async def run(self) -> None:
        """Run rounds until cancelled."""
        failures = 0
        while True:
            namespaces, self._namespaces = self._namespaces, set()
            self._triggered.clear()
            try:
                await self._round(namespaces)
                failures = 0
                await self._pause()
            except RecordError as error:
                self._namespaces |= namespaces
                failures += 1
                logger.warning("periodic list failed, it is repeated: %s", error)
                await asyncio.sleep(RELIST_BACKOFF.delay(failures))

    async def _pause(self) -> None:
        await asyncio.sleep(MIN_GAP_SECONDS)
        try:
            async with asyncio.timeout(jitter(INTERVAL_SECONDS, 0.8, 1.2)):
                await self._triggered.wait()
        except TimeoutError:
            return
