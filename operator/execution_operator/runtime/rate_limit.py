"""A rate limiter: a fixed number of permits a second, in the order of the calls."""

import asyncio


class RateLimiter:
    """Hands out permits at a fixed interval. A permit that nobody took is not saved up.

    Args:
        rate: Permits a second.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next_permit = 0.0

    async def acquire(self) -> None:
        """Wait for the next permit."""
        now = asyncio.get_running_loop().time()
        permit = max(self._next_permit, now)
        self._next_permit = permit + self._interval
        if permit > now:
            await asyncio.sleep(permit - now)
