"""Counting what a list and its watch bring."""

import pytest

from execution_operator.index.phase_counter import PhaseCounter

Told = list[tuple[str, str]]

TABLE: list[tuple[Told, dict[str, int]]] = [
    ([], {"failed": 1, "completed": 2}),
    ([("failed", "ADDED")], {"failed": 2, "completed": 2}),
    ([("failed", "MODIFIED")], {"failed": 1, "completed": 2}),
    ([("completed", "DELETED")], {"failed": 1, "completed": 1}),
]


def listed(census: PhaseCounter, *kinds: str) -> None:
    census.begin()
    for kind in kinds:
        census.take(kind, "LISTED")


@pytest.mark.parametrize(("told", "counts"), TABLE)
def test_the_watch_goes_on_from_the_list(told: Told, counts: dict[str, int]) -> None:
    census = PhaseCounter()
    listed(census, "failed", "completed", "completed")
    census.end()
    for kind, event in told:
        census.take(kind, event)
    assert census.counts == counts


def test_a_new_list_takes_the_place_of_all_before_once_it_is_complete() -> None:
    census = PhaseCounter()
    listed(census, "failed")
    census.end()
    listed(census, "completed", "completed")  # breaks off
    assert census.counts == {"failed": 1}
    listed(census, "completed")
    census.end()
    assert census.counts == {"completed": 1}
