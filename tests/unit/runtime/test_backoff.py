"""Delays between failed attempts."""

import pytest

from execution_operator.runtime.backoff import WATCH_BACKOFF, Backoff, doubling


def test_delays_double_up_to_the_longest() -> None:
    assert doubling(1.0, 5.0) == (1.0, 2.0, 4.0, 5.0)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1.0), (1, 2.0), (2, 3.0), (3, 3.0), (10_000, 3.0)])
def test_the_last_delay_holds_for_all_further_failures(failures: int, seconds: float) -> None:
    assert Backoff(doubling(1.0, 3.0)).delay(failures) == seconds


def test_jitter_keeps_to_its_bounds() -> None:
    for failures, delay in enumerate(WATCH_BACKOFF.delays):
        assert all(0.5 * delay <= WATCH_BACKOFF.delay(failures) <= 1.5 * delay for _ in range(100))
