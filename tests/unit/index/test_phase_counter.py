"""Counting what a list and its watch bring."""

import pytest

from execution_operator.index.phase_counter import PhaseCounter

Events = list[tuple[str, str]]

TABLE: list[tuple[Events, dict[str, int]]] = [
    ([], {"failed": 1, "completed": 2}),
    ([("failed", "ADDED")], {"failed": 2, "completed": 2}),
    ([("failed", "MODIFIED")], {"failed": 1, "completed": 2}),
    ([("completed", "DELETED")], {"failed": 1, "completed": 1}),
]


def listed(counter: PhaseCounter, *phases: str) -> None:
    counter.begin_list()
    for phase in phases:
        counter.count(phase, "LISTED")


@pytest.mark.parametrize(("events", "counts"), TABLE)
def test_the_watch_goes_on_from_the_list(events: Events, counts: dict[str, int]) -> None:
    counter = PhaseCounter()
    listed(counter, "failed", "completed", "completed")
    counter.end_list()
    for phase, event in events:
        counter.count(phase, event)
    assert counter.counts == counts


def test_a_new_list_takes_the_place_of_all_before_once_it_is_complete() -> None:
    counter = PhaseCounter()
    listed(counter, "failed")
    counter.end_list()
    listed(counter, "completed", "completed")  # breaks off
    assert counter.counts == {"failed": 1}
    listed(counter, "completed")
    counter.end_list()
    assert counter.counts == {"completed": 1}
