"""When a finished Execution is to be deleted."""

from datetime import UTC, datetime

import pytest

from execution_operator.api import Condition, ConditionStatus, Execution, ExecutionStatus, Phase, Termination
from execution_operator.ttl.expiry import expires_at
from tests.support import builders

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE


def finished(
    *,
    ttl: int | None = 60,
    status: ConditionStatus = TRUE,
    reason: str | None = None,
    termination: Termination | None = None,
) -> Execution:
    condition = Condition(
        type="Finished", status=status, last_transition_time="2026-01-01T00:00:00Z", reason="Completed", message=""
    )
    execution = builders.execution(
        status=ExecutionStatus(phase=Phase.COMPLETED, conditions=[condition], termination=termination),
        reason=reason,
    )
    return execution.model_copy(update={"spec": execution.spec.model_copy(update={"ttl_seconds_after_finished": ttl})})


def test_so_many_seconds_after_it_finished() -> None:
    assert expires_at(finished(ttl=60)) == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert expires_at(finished(ttl=0)) == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "execution",
    [finished(ttl=None), finished(status=FALSE), finished(reason="stop"), builders.execution()],
    ids=["no ttl", "open", "unanswered request", "never seen"],
)
def test_never(execution: Execution) -> None:
    assert expires_at(execution) is None


def test_with_an_answered_request() -> None:
    answered = Termination(reason="stop", outcome="AlreadyClosed")
    assert expires_at(finished(reason="stop", termination=answered)) is not None
