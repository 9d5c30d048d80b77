"""Counters that keep no zeros."""

from collections import Counter


def subtract(counts: Counter[str], key: str) -> None:
    """Count one less. A key whose count reaches zero is removed."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
