"""When an Execution is looked at again, by what a pass has found."""

from datetime import datetime

from execution_operator.api import Execution
from execution_operator.core.authorize import Denied, Failing
from execution_operator.core.findings import Finding, NotFound, Open
from execution_operator.core.grace import next_look
from execution_operator.core.state import deleting, never_seen
from execution_operator.ports import WOKEN, Settlement

HELD = 60.0
"""Seconds until a deletion is looked at again that a later run of the chain holds up: nothing tells when it closes."""


def settlement(execution: Execution, finding: Finding, now: datetime, *, gone: bool) -> Settlement:
    """Return how a pass ended; `gone`: the object is no longer there to be changed or woken."""
    woken = None if never_seen(execution) else WOKEN  # the former are found by a list, however many they are
    match finding:
        case Denied() if not gone:
            return Settlement(execution, after=woken)
        case Failing(asked=False):
            return Settlement(execution, after=woken)
        case Failing():
            return Settlement(execution, failing=True)
        case NotFound() if deleting(execution) and not gone:
            return Settlement(execution, after=HELD)
        case Open(deadline=str() as deadline):
            return Settlement(execution, after=next_look(execution, deadline, now))
        case _:
            return Settlement(execution)
