"""All backoffs of the package: how long a failed attempt waits before the next one."""

import random
from dataclasses import dataclass


def jitter(seconds: float, low: float, high: float) -> float:
    """Return the duration times a random factor between two bounds, so that many waits do not end together."""
    return seconds * random.uniform(low, high)  # noqa: S311 - not a secret


def doubling(first: float, longest: float) -> tuple[float, ...]:
    """Return delays in seconds that double from the first to the longest. Example: 1, 2, 4, 5 for 1 and 5."""
    delays = [first]
    while delays[-1] < longest:
        delays.append(min(2 * delays[-1], longest))
    return tuple(delays)


@dataclass(frozen=True)
class Backoff:
    """The delays between attempts that fail in a row.

    Attributes:
        delays: Seconds, one for each failure. The last delay holds for all further failures.
        low: Smallest factor that the jitter multiplies a delay with.
        high: Largest factor that the jitter multiplies a delay with.
    """

    delays: tuple[float, ...]
    low: float = 1.0
    high: float = 1.0

    def delay(self, failures: int) -> float:
        """Return the seconds to wait.

        Args:
            failures: Position in `delays`, from 0. Any later position returns the last delay.
        """
        return jitter(self.delays[min(failures, len(self.delays) - 1)], self.low, self.high)


RECONCILE_BACKOFF = Backoff(doubling(0.2, 60.0), low=0.5, high=1.0)
"""Delays before an Execution is reconciled again after a failure: 0.2 seconds to 1 minute."""

RELIST_BACKOFF = Backoff(doubling(0.2, 10.0))
"""Delays of a periodic task by the failures in a row: 0.4 seconds after the first one, at most 10 seconds."""

REREAD_BACKOFF = Backoff(doubling(1.0, 60.0))
"""Delays before Executions that could not be read are read again: 1 second to 1 minute."""

POLL_BACKOFF = Backoff(doubling(1.0, 30.0), low=0.8, high=1.2)
"""Delays between two polls of visibility by the failures in a row: 1 second without one, at most 30 seconds."""

PROBE_BACKOFF = Backoff(doubling(0.5, 4.0), low=0.5, high=1.0)
"""Delays between two probes of a Temporal namespace that does not answer: 0.5 to 4 seconds."""

WATCH_BACKOFF = Backoff((0.05, 0.2, 1.0, 3.0, 10.0), low=0.5, high=1.5)
"""Delays before a watch is opened again after a failure: 0.05 to 10 seconds."""
