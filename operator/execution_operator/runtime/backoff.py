"""Exponential backoff."""

DOUBLINGS = 64
"""How often a pause is doubled at most: later ones are the longest anyhow, and no float holds 2.0 ** 1024."""


def backoff(first: float, failures: int, longest: float) -> float:
    """Return the seconds to wait after so many failures in a row: doubled each time, however many there were."""
    return min(first * 2.0 ** min(failures, DOUBLINGS), longest)
