"""Token buckets of callers, and the form of a token."""

import pytest
from starlette.datastructures import Headers

from execution_operator.gateway import limits
from execution_operator.gateway.limits import Limits, TokenBuckets, token_of


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    buckets = TokenBuckets(Limits(rate=2, burst=4), clock)
    assert [buckets.charge("alice") for _ in range(5)] == [0, 0, 0, 0, 1]
    clock.now += 0.5
    assert [buckets.charge("alice"), buckets.charge("alice")] == [0, 1]
    assert buckets.charge("bob", 4) == 0


def test_a_refused_charge_costs_nothing() -> None:
    clock = Clock()
    buckets = TokenBuckets(Limits(rate=1, burst=10), clock)
    assert buckets.charge("alice", 8) == 0
    assert buckets.charge("alice", 5) == 3
    assert buckets.charge("alice", 2) == 0


def test_the_least_recently_used_bucket_is_evicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CALLERS", 2)
    buckets = TokenBuckets(Limits(rate=1, burst=1), Clock())
    assert [buckets.charge(caller) for caller in ("alice", "bob", "carol", "alice")] == [0, 0, 0, 0]
    assert buckets.charge("carol") == 1


@pytest.mark.parametrize(
    ("authorization", "token"),
    [
        ("Bearer abc.DEF-_~+/==", "abc.DEF-_~+/=="),
        ("bearer  abc", "abc"),
        ("Bearer a b", None),
        ("Bearer a\r\nX: y", None),
        ("Bearer ", None),
        ("Basic YTpi", None),
        ("Bearer =", None),
    ],
)
def test_tokens(authorization: str, token: str | None) -> None:
    assert token_of(Headers({"authorization": authorization})) == token
