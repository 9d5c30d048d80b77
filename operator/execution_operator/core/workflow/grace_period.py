"""The grace period: its deadline, and the interval at which the workflow is polled until then."""

from datetime import UTC, datetime, timedelta

from execution_operator.api import Execution
from execution_operator.core.workflow.state import is_current

MIN_POLL_INTERVAL_SECONDS = 0.5
"""Shortest interval at which a workflow is polled whose cancellation is requested."""

MAX_POLL_INTERVAL_SECONDS = 15.0
"""Longest such interval. Between the two, it equals the time that the grace period has lasted so far."""

ROUNDING = timedelta(seconds=2)
"""Added to each deadline. A deadline is recorded in whole seconds, by a clock that may be almost a second late, and
another operator compares it with its own clock. With this margin no workflow gets less than its grace period.
"""


def grace_period_end(execution: Execution, now: datetime) -> datetime | None:
    """Return the end of the grace period; None where the request has none.

    A deadline that is recorded for the present spec counts. Else the grace period begins now.
    """
    if not _period(execution):
        return None
    known = recorded_deadline(execution)
    return datetime.fromisoformat(known) if known else new_deadline(execution, now)


def recorded_deadline(execution: Execution) -> str | None:
    """Return the deadline in the status, if it was recorded for the present generation of the spec."""
    termination = execution.status.termination
    return termination.deadline if termination and is_current(execution) else None


def new_deadline(execution: Execution, now: datetime) -> datetime:
    """Return the end of a grace period that begins now."""
    return now + _period(execution) + ROUNDING


def grace_period_start(execution: Execution, deadline: datetime) -> datetime:
    """Return the start of the grace period that ends at the deadline."""
    return deadline - _period(execution)


def seconds_until_poll(execution: Execution, deadline: str, now: datetime) -> float:
    """Return the seconds until the workflow is polled again. `deadline` is RFC 3339."""
    left = (datetime.fromisoformat(deadline) - now).total_seconds()
    taken = _period(execution).total_seconds() - left
    return max(0.0, min(left, max(MIN_POLL_INTERVAL_SECONDS, min(taken, MAX_POLL_INTERVAL_SECONDS))))


def rfc3339(moment: datetime) -> str:
    """Return the moment in UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _period(execution: Execution) -> timedelta:
    terminate = execution.spec.terminate
    return timedelta(seconds=terminate.grace_period_seconds if terminate else 0)
