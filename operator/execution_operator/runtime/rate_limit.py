"""A rate limiter: so many turns a second, in the order of asking."""

import asyncio


class RateLimiter:
    """Gives turns.

    Args:
        rate: Turns a second.
    """

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._free = 0.0

    async def turn(self) -> None:
        """Wait for the next turn."""
        now = asyncio.get_running_loop().time()
        turn = max(self._free, now)
        self._free = turn + self._interval
        if turn > now:
            await asyncio.sleep(turn - now)
