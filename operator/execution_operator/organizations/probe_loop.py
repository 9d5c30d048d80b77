"""Probes one Temporal namespace again and again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from execution_operator.runtime.backoff import PROBE_BACKOFF

logger = logging.getLogger(__name__)

PROBE_INTERVAL_SECONDS = 60.0
"""Seconds between two probes after one that succeeded."""

MIN_PROBE_INTERVAL_SECONDS = 0.1
"""Minimum seconds between two probes after one that succeeded, however many are requested."""

MIN_RETRY_INTERVAL_SECONDS = PROBE_BACKOFF.delays[0] / 2
"""Minimum seconds between two probes after one that failed, however many are requested."""


class ProbeLoop:
    """Runs a probe regularly, and on request at once. Only one probe runs at a time.

    Args:
        probe: Makes one probe, and returns whether it succeeded.
    """

    def __init__(self, probe: Callable[[], Awaitable[bool]]) -> None:
        self._probe = probe
        self._requested = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def probe_now(self) -> None:
        """Request a probe at once. During a probe, this requests one more probe after it."""
        self._requested.set()

    def stop(self) -> None:
        """Stop probing."""
        self._task.cancel()

    async def _run(self) -> None:
        failures = 0
        while True:
            self._requested.clear()
            failures = 0 if await self._probe_safely() else failures + 1
            await self._wait(failures)

    async def _probe_safely(self) -> bool:
        """Probe once. An unexpected error is logged and counts as a failure, so that the loop continues."""
        try:
            return await self._probe()
        except Exception:
            logger.exception("probe of an organization's Temporal namespace raised an unexpected error")
            return False

    async def _wait(self, failures: int) -> None:
        """Wait until the next probe is due. A request ends the wait, but not before the minimum interval."""
        clock = asyncio.get_running_loop().time
        if failures:
            minimum, interval = MIN_RETRY_INTERVAL_SECONDS, PROBE_BACKOFF.delay(failures - 1)
        else:
            minimum, interval = MIN_PROBE_INTERVAL_SECONDS, PROBE_INTERVAL_SECONDS
        earliest = clock() + minimum
        try:
            async with asyncio.timeout(interval):
                await self._requested.wait()
        except TimeoutError:
            return
        await asyncio.sleep(earliest - clock())
