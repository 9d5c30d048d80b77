"""How many requests are held: all there is room for, and of each namespace its part."""

import pytest

from execution_operator.core import crowd
from execution_operator.core.crowd import Crowd


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "HELD", 100)
    monkeypatch.setattr(crowd, "FEW", 5)


def fill(of: Crowd, namespace: str) -> int:
    """Take in all there is room for; return how many."""
    before = len(of)
    while not of.full(namespace):
        of.enter(namespace)
    return len(of) - before


def test_one_namespace_may_have_all() -> None:
    assert fill(Crowd(), "a") == 100


def test_whoever_comes_later_finds_its_part_free() -> None:
    of = Crowd()
    assert [fill(of, namespace) for namespace in ("a", "b", "c")] == [100, 50, 33]
    assert of.full("a")


def test_however_many_namespaces_there_are_each_has_a_few() -> None:
    of = Crowd()
    for number in range(100):
        of.enter(f"other-{number}")
    assert fill(of, "a") == 5


def test_who_has_gone_leaves_room() -> None:
    of = Crowd()
    fill(of, "a")
    of.leave("a")
    assert (of.full("a"), len(of)) == (False, 99)


def test_a_namespace_without_requests_takes_no_part() -> None:
    of = Crowd()
    of.enter("b")
    of.leave("b")
    assert fill(of, "a") == 100


def test_it_is_thinned_once_half_of_the_room_is_free() -> None:
    of = Crowd()
    calls = list[int]()
    of.thinning = lambda: calls.append(len(of))
    fill(of, "a")
    for _ in range(50):
        of.leave("a")
    assert (of.thinned, calls) == (False, [])
    for _ in range(2):
        of.leave("a")
    assert (of.thinned, calls) == (True, [49, 48])
