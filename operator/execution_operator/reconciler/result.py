"""When an Execution is looked at again, by what a pass has found."""

from dataclasses import dataclass
from datetime import datetime
from math import inf

from execution_operator.api import Execution
from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.workflow.findings import Finding, NotFound, Open
from execution_operator.core.workflow.grace_period import next_look
from execution_operator.core.workflow.state import deleting, never_seen, unanswered

WOKEN = inf
"""Of a wait without an end of its own: whoever sees to the Organization wakes the Execution."""

HELD = 60.0
"""Seconds until a deletion is looked at again that a later run of the chain holds up: nothing tells when it closes."""


@dataclass(frozen=True)
class ReconcileRequest:
    """What a pass is about.

    Attributes:
        execution: The newest known state.
        gone: It has been deleted since: what it asked for is done without a record.
        again: An earlier pass broke off, and may have recorded what it did not tell.
        since: When its request came to the operator's knowledge, by its monotonic clock; None where there is none.
    """

    execution: Execution
    gone: bool = False
    again: bool = False
    since: float | None = None


@dataclass(frozen=True)
class Result:
    """How a pass ended.

    Attributes:
        execution: The object as last written.
        failing: Try again, later each time.
        after: Seconds until the next look: None where the object is settled, WOKEN where something else will
            wake it.
    """

    execution: Execution
    failing: bool = False
    after: float | None = None


def settlement(execution: Execution, finding: Finding, now: datetime, *, gone: bool) -> Result:
    """Return how a pass ended; `gone`: the object is no longer there to be changed or woken."""
    match finding:
        case Denied() if not gone:  # those of which nothing is asked are found by the review, however many they are
            return Result(execution, after=WOKEN if unanswered(execution) else None)
        case Failing(temporal_called=False):  # those that were never seen are found by a list
            return Result(execution, after=None if never_seen(execution) else WOKEN)
        case Failing():
            return Result(execution, failing=True)
        case NotFound() if deleting(execution) and not gone:
            return Result(execution, after=HELD)
        case Open(deadline=str() as deadline):
            return Result(execution, after=next_look(execution, deadline, now))
        case _:
            return Result(execution)
