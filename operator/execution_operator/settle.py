"""When an Execution is looked at again, by what a pass has found."""

from datetime import datetime

from execution_operator.api import Execution
from execution_operator.core.authorization.authorize import Denied, Failing
from execution_operator.core.workflow.findings import Finding, NotFound, Open
from execution_operator.core.workflow.grace_period import next_look
from execution_operator.core.workflow.state import deleting, never_seen, unanswered
from execution_operator.ports import WOKEN, Settlement

HELD = 60.0
"""Seconds until a deletion is looked at again that a later run of the chain holds up: nothing tells when it closes."""


def settlement(execution: Execution, finding: Finding, now: datetime, *, gone: bool) -> Settlement:
    """Return how a pass ended; `gone`: the object is no longer there to be changed or woken."""
    match finding:
        case Denied() if not gone:  # those of which nothing is asked are found by the review, however many they are
            return Settlement(execution, after=WOKEN if unanswered(execution) else None)
        case Failing(asked=False):  # those that were never seen are found by a list
            return Settlement(execution, after=None if never_seen(execution) else WOKEN)
        case Failing():
            return Settlement(execution, failing=True)
        case NotFound() if deleting(execution) and not gone:
            return Settlement(execution, after=HELD)
        case Open(deadline=str() as deadline):
            return Settlement(execution, after=next_look(execution, deadline, now))
        case _:
            return Settlement(execution)
