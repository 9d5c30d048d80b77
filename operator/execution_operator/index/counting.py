"""Counts of which nothing is left over."""

from collections import Counter


def subtract(counts: Counter[str], key: str) -> None:
    """Count one less; a count of none is not kept."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
