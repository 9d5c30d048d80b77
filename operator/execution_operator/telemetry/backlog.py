"""The backlog: unanswered requests by state, and the age of the oldest."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from execution_operator.api import Execution
from execution_operator.core.reasons import Type
from execution_operator.core.workflow.grace_period import recorded_deadline
from execution_operator.core.workflow.requests import requested_at
from execution_operator.core.workflow.state import is_current, is_known_missing, is_unanswered


class RequestState(StrEnum):
    """What an unanswered request waits for. The value is the label `state` of the metric `open_requests`."""

    PENDING = "pending"
    """It waits for the operator, Temporal or the API server, and should be answered soon."""

    GRACE_PERIOD = "grace_period"
    """It waits for the workflow, which may close by itself until the deadline."""

    DENIED = "denied"
    """It waits for a human: an Organization or its namespaces must change."""

    NOT_FOUND = "not_found"
    """Temporal knows no such workflow."""


def request_state(execution: Execution, now: datetime) -> RequestState | None:
    """Return the state of an unanswered request; None where there is none."""
    if not is_unanswered(execution):
        return None
    if is_known_missing(execution):
        return RequestState.NOT_FOUND
    if is_current(execution) and execution.status.condition(Type.STALLED) is not None:
        return RequestState.DENIED
    deadline = recorded_deadline(execution)
    in_grace_period = deadline is not None and datetime.fromisoformat(deadline) > now
    return RequestState.GRACE_PERIOD if in_grace_period else RequestState.PENDING


@dataclass(frozen=True)
class Backlog:
    """The unanswered requests among some Executions.

    Attributes:
        counts: Number of requests by state.
        oldest: When the oldest pending request was made; None where there is none, or the time is unknown.
    """

    counts: Counter[RequestState]
    oldest: datetime | None


def backlog(executions: Iterable[Execution], now: datetime) -> Backlog:
    """Count the unanswered requests."""
    counts: Counter[RequestState] = Counter()
    oldest: datetime | None = None
    for execution in executions:
        if (state := request_state(execution, now)) is None:
            continue
        counts[state] += 1
        if state is RequestState.PENDING and (made := request_time(execution)) and (oldest is None or made < oldest):
            oldest = made
    return Backlog(counts, oldest)


def request_time(execution: Execution) -> datetime | None:
    """Return when the request was made: the time of spec.terminate, or of the deletion.

    None where the time is unknown or can't be read. Users who may edit an Execution can write any time into its
    managedFields, for instance the year 0.
    """
    text = requested_at(execution) if execution.spec.terminate else execution.metadata.deletion_timestamp
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except (ValueError, OverflowError):
        return None
