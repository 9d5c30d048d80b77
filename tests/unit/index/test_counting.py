"""Counts of which nothing is left over."""

from collections import Counter

from execution_operator.index.counting import subtract


def test_a_count_of_none_is_not_kept() -> None:
    counts = Counter(a=2, b=1)
    for key in "aab":
        subtract(counts, key)
    assert list(counts) == []
