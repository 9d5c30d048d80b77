"""The time at which a finished Execution expires: `ttlSecondsAfterFinished`, as Jobs have it."""

from datetime import datetime, timedelta

from execution_operator.api import ConditionStatus, Execution
from execution_operator.core.reasons import Type
from execution_operator.core.workflow.state import is_unanswered


def expires_at(execution: Execution) -> datetime | None:
    """Return the time after which the Execution is deleted; None without a TTL, or while a request is unanswered."""
    ttl, finished = execution.spec.ttl_seconds_after_finished, execution.status.condition(Type.FINISHED)
    if ttl is None or finished is None or finished.status is not ConditionStatus.TRUE or is_unanswered(execution):
        return None
    return datetime.fromisoformat(finished.last_transition_time) + timedelta(seconds=ttl)
