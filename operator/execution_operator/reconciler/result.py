"""What the queue hands to the reconciler, and what the reconciler says of the next time."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from execution_operator.api import Execution
from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.workflow.findings import Finding, NotFound, Open
from execution_operator.core.workflow.grace_period import seconds_until_poll
from execution_operator.core.workflow.state import is_deleting, is_unanswered, is_unresolved

HELD_DELETION_INTERVAL_SECONDS = 60.0
"""Interval at which a deletion is reconciled while a later run of the chain holds it up. No event tells its close."""


@dataclass(frozen=True)
class ReconcileRequest:
    """An Execution to reconcile.

    Attributes:
        execution: The newest known state.
        deleted: The object was deleted since. What it asked for is done, and nothing is written.
        interrupted: An earlier reconcile ended early, and may have written a status without its Events.
        enqueued_at: When the operator learned of the termination request, in seconds of the monotonic clock; None where
            none is requested.
    """

    execution: Execution
    deleted: bool = False
    interrupted: bool = False
    enqueued_at: float | None = None


class Requeue(Enum):
    """When an Execution is reconciled again, apart from a change of its own."""

    NEVER = "never"
    """It is settled. The queue forgets it."""

    ON_EVENT = "on event"
    """No timer: a change of the Organization, or of what its Temporal answers, requeues it."""

    WITH_BACKOFF = "with backoff"
    """Something failed: again, later after each failure in a row."""


@dataclass(frozen=True)
class Result:
    """How a reconcile ended.

    Attributes:
        execution: The object as last written.
        requeue: When it is reconciled again.
        requeue_after: Seconds until then, where the time is known; it comes before `requeue`.
    """

    execution: Execution
    requeue: Requeue = Requeue.NEVER
    requeue_after: float | None = None


def result_of(execution: Execution, finding: Finding, now: datetime, *, deleted: bool) -> Result:
    """Return the result of a reconcile whose finding is recorded.

    Args:
        execution: The object as last written.
        finding: What was found and recorded.
        now: The API server's time.
        deleted: The object is no longer there: no event requeues it.
    """
    match finding:
        case Denied() if not deleted:  # without a request, the authorization drift finds it in the index of open runs
            return Result(execution, Requeue.ON_EVENT if is_unanswered(execution) else Requeue.NEVER)
        case Failing(temporal_called=False):  # an Execution that pins no run is found by a list
            return Result(execution, Requeue.NEVER if is_unresolved(execution) else Requeue.ON_EVENT)
        case Failing():
            return Result(execution, Requeue.WITH_BACKOFF)
        case NotFound() if is_deleting(execution) and not deleted:
            return Result(execution, requeue_after=HELD_DELETION_INTERVAL_SECONDS)
        case Open(deadline=str() as deadline):
            return Result(execution, requeue_after=seconds_until_poll(execution, deadline, now))
        case _:
            return Result(execution)
