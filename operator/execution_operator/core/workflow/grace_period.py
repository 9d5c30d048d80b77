"""The grace period: when it ends, and when to look meanwhile."""

from datetime import UTC, datetime, timedelta

from execution_operator.api import Execution
from execution_operator.core.workflow.state import current

QUICKEST_LOOK, SLOWEST_LOOK = 0.5, 15.0
"""Seconds between two looks at a workflow that has been asked to cancel itself: as long as it has taken so far."""

ROUNDING = timedelta(seconds=2)
"""What a deadline is later than the end of its grace period: it is recorded without fractions, by a clock that may be
almost a second late, and held against another operator's that may not be.
"""


def deadline_of(execution: Execution, now: datetime) -> datetime | None:
    """Return when the grace period ends: as recorded, anew if the spec has changed since; None where there is none."""
    if not _period(execution):
        return None
    known = recorded(execution)
    return datetime.fromisoformat(known) if known else anew(execution, now)


def recorded(execution: Execution) -> str | None:
    """Return the deadline that the status has for the spec as it is."""
    termination = execution.status.termination
    return termination.deadline if termination and current(execution) else None


def anew(execution: Execution, now: datetime) -> datetime:
    """Return the end of a grace period that begins now."""
    return now + _period(execution) + ROUNDING


def start(execution: Execution, deadline: datetime) -> datetime:
    """Return when the grace period began that ends then."""
    return deadline - _period(execution)


def next_look(execution: Execution, deadline: str, now: datetime) -> float:
    """Return the seconds until the next look at a workflow that has been asked to cancel itself."""
    left = (datetime.fromisoformat(deadline) - now).total_seconds()
    taken = _period(execution).total_seconds() - left
    return max(0.0, min(left, max(QUICKEST_LOOK, min(taken, SLOWEST_LOOK))))


def rfc3339(moment: datetime) -> str:
    """Return the moment in UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _period(execution: Execution) -> timedelta:
    terminate = execution.spec.terminate
    return timedelta(seconds=terminate.grace_period_seconds if terminate else 0)
