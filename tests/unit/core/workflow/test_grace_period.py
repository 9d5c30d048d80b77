"""The grace period: when it ends, and when to look meanwhile."""

from datetime import UTC, datetime, timedelta

import pytest

from execution_operator.api import ExecutionStatus, Termination
from execution_operator.core.workflow.grace_period import (
    MAX_POLL_INTERVAL_SECONDS,
    MIN_POLL_INTERVAL_SECONDS,
    grace_period_end,
    grace_period_start,
    new_deadline,
    rfc3339,
    seconds_until_poll,
)
from tests.support.builders import execution

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600


def recorded(deadline: str | None, observed: int) -> ExecutionStatus:
    return ExecutionStatus(observed_generation=observed, termination=Termination(reason="enough", deadline=deadline))


@pytest.mark.parametrize(
    ("grace", "status", "ends"),
    [
        (0, ExecutionStatus(), None),
        (0, recorded("2026-01-01T00:00:30Z", 1), None),  # none is asked for any more
        (60, ExecutionStatus(), NOW + timedelta(seconds=62)),
        (60, recorded(None, 1), NOW + timedelta(seconds=62)),
        (60, recorded("2026-01-01T00:00:30Z", 1), NOW + timedelta(seconds=30)),
        (60, recorded("2026-01-01T00:00:30Z", 0), NOW + timedelta(seconds=62)),  # the spec has changed since
    ],
)
def test_when_it_ends(grace: int, status: ExecutionStatus, ends: datetime | None) -> None:
    assert grace_period_end(execution("enough", grace=grace, status=status), NOW) == ends


def test_without_a_request_there_is_none() -> None:
    assert grace_period_end(execution(), NOW) is None


@pytest.mark.parametrize(
    ("grace", "left", "pause"),
    [
        (10, 10, MIN_POLL_INTERVAL_SECONDS),  # it has just begun
        (10, 6, 4),  # as long as it has taken so far
        (10, 0.2, 0.2),  # not beyond its end
        (10, -3, 0),
        (HOUR, HOUR / 2, MAX_POLL_INTERVAL_SECONDS),
    ],
)
def test_when_to_look_meanwhile(grace: int, left: float, pause: float) -> None:
    deadline = (NOW + timedelta(seconds=left)).isoformat()
    assert seconds_until_poll(execution("enough", grace=grace), deadline, NOW) == pytest.approx(pause)


def test_it_begins_its_length_before_its_end() -> None:
    it = execution("enough", grace=60)
    assert new_deadline(it, grace_period_start(it, NOW)) == NOW + timedelta(
        seconds=2
    )  # for clocks and records know no fractions


def test_moments_are_recorded_in_utc_and_whole_seconds() -> None:
    assert rfc3339(datetime.fromisoformat("2026-01-01T01:00:00.999+01:00")) == "2026-01-01T00:00:00Z"
