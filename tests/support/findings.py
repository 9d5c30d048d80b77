"""Findings as a look at a workflow makes them, and the statuses that they lead to, one after another."""

from dataclasses import dataclass

from execution_operator.api import ExecutionStatus
from execution_operator.core.authorization.authorize import Denied, Failing, ResolvedTarget
from execution_operator.core.reasons import Reason
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus
from tests.support.builders import execution

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
CLOSE = "2026-01-01T12:00:00.123456789Z"
DEADLINE = "2026-01-01T13:00:00Z"
RUN = Run("wf", "r1", "r0", "2025-12-31T00:00:00.000000001Z")
HERE = ResolvedTarget("acme", "uid-acme", "production")
NOWHERE = None


def elsewhere(status: RunStatus) -> Closed:
    return Closed(RUN, CloseEvent(status, CLOSE, reason="by hand", identity="jane@ui"))


DENIED = Denied(Reason.NAMESPACE_NOT_MAPPED, "no")
MISMATCH = Denied(Reason.ORGANIZATION_MISMATCH, "not yours")
AWAY = Failing(Reason.TEMPORAL_UNAVAILABLE, "no answer")
REFUSED = Failing(Reason.TERMINATION_FAILED, "refused")
MISSING = NotFound("nothing there")
OPEN, PAUSED, GRACE = Open(RUN), Open(RUN, paused=True), Open(RUN, deadline=DEADLINE)
OURS = Closed(
    RUN, CloseEvent(RunStatus.TERMINATED, CLOSE, "stop", "execution-operator/team-a/run", "uid-1", requested_by="jane")
)
COMPLETED, TERMINATED, CANCELED = (
    elsewhere(RunStatus.COMPLETED),
    elsewhere(RunStatus.TERMINATED),
    elsewhere(RunStatus.CANCELED),
)
RECORDED = Recorded()

NEW = ExecutionStatus()


def after(*findings: tuple[Finding, str | None], status: ExecutionStatus = NEW, now: str = THEN) -> ExecutionStatus:
    """Return the status after these findings, each with the request of its time."""
    for finding, reason in findings:
        place = NOWHERE if finding in (DENIED, RECORDED) else HERE
        status = render(execution(reason, status=status), finding, place, now)
    return status


SEEN = after((OPEN, None))
ASKED = after((OPEN, "stop"))
TERMINATING = after((OPEN, "stop"), (GRACE, "stop"))
DONE = after((COMPLETED, None))
DONE_BY_US = after((OPEN, "stop"), (OURS, "stop"))
DONE_LATE = after((COMPLETED, None), (RECORDED, "stop"))
REFUSED_BEFORE = after((DENIED, "stop"))


@dataclass(frozen=True)
class Want:
    """What the new status shows; None for a condition that is absent."""

    phase: str
    authorized: str | None = "True/OrganizationMapped"
    terminated: str | None = None
    finished: str = "False/Open"
    reconciling: str | None = None
    stalled: str | None = None
    outcome: str | None = None


def shown(status: ExecutionStatus) -> Want:
    def cell(of: str) -> str | None:
        found = status.condition(of)
        return f"{found.status}/{found.reason}" if found else None

    return Want(
        str(status.phase),
        cell("Authorized"),
        cell("Terminated"),
        cell("Finished") or "",
        cell("Reconciling"),
        cell("Stalled"),
        status.termination.outcome if status.termination else None,
    )
