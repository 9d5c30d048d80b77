"""Broken builds of the operator: the fault tests must detect each of them."""

from tests.support.mutation import Argument, Body, Build, Statement

PIN_REMOVED = Build(
    "temporal.runs",
    "TemporalRuns.terminate",
    Argument(
        "TerminateWorkflowExecutionRequest",
        "workflow_execution",
        "WorkflowExecution(workflow_id=run.workflow_id)",
    ),
)
"""Terminates the current run of the workflow ID instead of the pinned run."""

RETRY_ON = Build("temporal.calls", "call", Argument("rpc", "retry", "True"))
"""The Temporal SDK retries calls by itself."""

RECORD_BEFORE_OBSERVE = Build(
    "reconciler.observe",
    "observe",
    Statement(
        "follow",
        """
from execution_operator.core.workflow.runs import CloseEvent, RunStatus
sent = CloseEvent(RunStatus.TERMINATED, "2026-01-01T00:00:00Z", "stop", execution_uid=call.execution_uid)
finding = Closed(call.run, sent)
""",
    ),
)
"""Takes a termination that was sent for one that was observed."""

INDEX_NOT_AWAITED = Build("organizations.controller", "OrganizationController.synced", Body("return"))
"""Decides before it has read the Organizations."""
