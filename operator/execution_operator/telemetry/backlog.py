"""Where an unanswered request stands, for whoever counts them."""

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
    """What an unanswered request waits for."""

    PENDING = "pending"
    """The operator, Temporal or the API server: it should be answered soon."""

    GRACE = "grace"
    """The workflow, which may end by itself until the deadline."""

    DENIED = "denied"
    """A human: an Organization or its namespaces must change first."""

    NOT_FOUND = "not_found"
    """A workflow that Temporal does not know."""


def standing(execution: Execution, now: datetime) -> RequestState | None:
    """Return where the request stands; None where there is none, or it is answered."""
    if not is_unanswered(execution):
        return None
    if is_known_missing(execution):
        return RequestState.NOT_FOUND
    if is_current(execution) and execution.status.condition(Type.STALLED) is not None:
        return RequestState.DENIED
    deadline = recorded_deadline(execution)
    waits = deadline is not None and datetime.fromisoformat(deadline) > now
    return RequestState.GRACE if waits else RequestState.PENDING


@dataclass(frozen=True)
class Backlog:
    """The unanswered requests among some Executions.

    Attributes:
        counts: How many stand where.
        oldest: When the oldest pending one was made; None where there is none, or nobody knows.
    """

    counts: Counter[RequestState]
    oldest: datetime | None


def backlog(executions: Iterable[Execution], now: datetime) -> Backlog:
    """Count the unanswered requests."""
    counts: Counter[RequestState] = Counter()
    oldest: datetime | None = None
    for execution in executions:
        if (stands := standing(execution, now)) is None:
            continue
        counts[stands] += 1
        if stands is RequestState.PENDING and (asked := asked_at(execution)) and (oldest is None or asked < oldest):
            oldest = asked
    return Backlog(counts, oldest)


def asked_at(execution: Execution) -> datetime | None:
    """Return when the request was made: by spec.terminate, or by the deletion.

    None where nobody knows: who may edit an Execution can write any time into its managedFields, the year 0 as well.
    """
    told = requested_at(execution) if execution.spec.terminate else execution.metadata.deletion_timestamp
    try:
        return datetime.fromisoformat(told).astimezone(UTC) if told else None
    except (ValueError, OverflowError):
        return None
