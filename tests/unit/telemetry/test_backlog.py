"""Where unanswered requests stand."""

from datetime import UTC, datetime

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.authorization.authorize import Denied, ResolvedTarget
from execution_operator.core.reasons import Reason
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus
from execution_operator.telemetry.backlog import RequestState, backlog, request_state
from tests.support.builders import execution

EARLY, THEN, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z", "2026-01-01T00:10:00Z"
NOW = datetime(2026, 1, 1, 0, 5, tzinfo=UTC)
RUN = Run("wf", "r1", "r1")
DENIED = Denied(Reason.NAMESPACE_NOT_MAPPED, "no")


def after(finding: Finding) -> ExecutionStatus:
    return render(execution("stop"), finding, None if finding is DENIED else ResolvedTarget("acme", "u", "acme"), EARLY)


def asked(status: ExecutionStatus | None = None, at: str | None = None, generation: int = 1) -> Execution:
    written = [{"time": at, "fieldsV1": {"f:spec": {"f:terminate": {}}}}] if at else []
    return execution("stop", status=status, generation=generation, managed_fields=written)


DONE = Closed(RUN, CloseEvent(RunStatus.TERMINATED, EARLY, execution_uid="uid-1"))
TABLE = [
    pytest.param(execution(), None, id="nothing asked"),
    pytest.param(asked(after(DONE)), None, id="answered"),
    pytest.param(asked(), "pending", id="new"),
    pytest.param(asked(after(Open(RUN))), "pending", id="pinned"),
    pytest.param(asked(after(Open(RUN, deadline=LATER))), "grace_period", id="in its grace period"),
    pytest.param(asked(after(Open(RUN, deadline=THEN))), "pending", id="whose grace period has passed"),
    pytest.param(asked(after(Open(RUN, deadline=LATER)), generation=2), "pending", id="changed in its grace period"),
    pytest.param(asked(after(DENIED)), "denied", id="denied"),
    pytest.param(asked(after(DENIED), generation=2), "pending", id="changed since it was denied"),
    pytest.param(asked(after(NotFound("none"))), "not_found", id="not found"),
]


@pytest.mark.parametrize(("one", "stands"), TABLE)
def test_where_a_request_stands(one: Execution, stands: str | None) -> None:
    assert request_state(one, NOW) == stands


def test_the_backlog_counts_all_and_names_the_oldest_that_is_pending() -> None:
    deleted = execution(deleted=True, policy=DeletionPolicy.TERMINATE, status=after(Open(RUN)))
    found = backlog([asked(at=LATER), asked(at=THEN), asked(after(DENIED), EARLY), execution(), asked()], NOW)
    assert found.counts == {RequestState.PENDING: 3, RequestState.DENIED: 1}
    assert found.oldest == datetime.fromisoformat(THEN)
    assert backlog([deleted], NOW).oldest == datetime.fromisoformat(deleted.metadata.deletion_timestamp or "")
    assert backlog([], NOW) == backlog([execution()], NOW)


@pytest.mark.parametrize("at", [None, "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+23:00", "soon"])
def test_whose_time_nobody_knows_has_no_age(at: str | None) -> None:
    assert backlog([asked(at=at)], NOW).oldest is None
