"""Paces: so many turns a second, in the order of asking, and none saved up; or later each time."""

import asyncio

DOUBLINGS = 64
"""How often a pause is doubled at most: later ones are the longest anyhow, and no float holds 2.0 ** 1024."""


def backoff(first: float, failures: int, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time, however many there were."""
    return min(first * 2.0 ** min(failures, DOUBLINGS), longest)


class Pacer:
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
