"""When a finished Execution is to be deleted: `ttlSecondsAfterFinished`, as Jobs have it."""

from datetime import datetime, timedelta

from execution_operator.api import ConditionStatus, Execution
from execution_operator.core.reasons import Type
from execution_operator.core.workflow.state import is_unanswered


def expires(execution: Execution) -> datetime | None:
    """Return when the Execution is to be deleted; None if never, or not before a request has been answered."""
    ttl, finished = execution.spec.ttl_seconds_after_finished, execution.status.condition(Type.FINISHED)
    if ttl is None or finished is None or finished.status is not ConditionStatus.TRUE or is_unanswered(execution):
        return None
    return datetime.fromisoformat(finished.last_transition_time) + timedelta(seconds=ttl)
