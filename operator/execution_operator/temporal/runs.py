"""The runs of one Temporal namespace, by calls that never block and answers that are only observed facts."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType, ParentClosePolicy, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    RequestCancelWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.service import WorkflowService

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import (
    CloseEvent,
    Run,
    RunDescription,
    RunStatus,
    TerminationRequest,
    Unclosed,
)
from execution_operator.temporal.calls import Response, call_redacted

STATUSES = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING: RunStatus.RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED: RunStatus.PAUSED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: RunStatus.COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: RunStatus.FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: RunStatus.CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: RunStatus.TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: RunStatus.CONTINUED_AS_NEW,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: RunStatus.TIMED_OUT,
}

CLOSE_EVENTS = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: (RunStatus.COMPLETED, "workflow_execution_completed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: (RunStatus.FAILED, "workflow_execution_failed"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: (RunStatus.TIMED_OUT, "workflow_execution_timed_out"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: (RunStatus.CANCELED, "workflow_execution_canceled"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: (RunStatus.TERMINATED, "workflow_execution_terminated"),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: (
        RunStatus.CONTINUED_AS_NEW,
        "workflow_execution_continued_as_new",
    ),
}
"""The events that close a run, with the name of their attributes."""

LAST_PAGES = range(1, 17)
"""Sizes of the page that the last event is looked for in, in batches of events. The first is enough nearly always.

A write that Temporal broke off (a crash, a shard that moved) leaves a batch of events behind that does not count. It
fills a place on the page all the same: the page is empty then, and its token too, though the run has a history.
"""

OWNERS_KEPT = 10_000
"""How many start events' owners are remembered. They can't change."""


@dataclass
class TemporalRuns:
    """The port `Runs` on a real Temporal server."""

    service: WorkflowService
    namespace: str
    redact: Callable[[str], str] = str
    """Takes out of a server's words what must not be shown: some repeat the credential."""

    _owners: dict[tuple[str, str], str] = field(default_factory=dict)

    async def describe(self, workflow_id: str, run_id: str) -> RunDescription | None:
        """Return the run (the current one if `run_id` is empty), or None if Temporal knows no such run."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
        response = await self._call(self.service.describe_workflow_execution, request)
        return _described(response) if response else None

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        """Return the search attribute in the start event of the chain's first run, which nothing can overwrite.

        Empty if the run was started without it; None if the history is no longer there.
        """
        key = (run.first_run_id, search_attribute)
        if key not in self._owners:
            request = GetWorkflowExecutionHistoryRequest(
                namespace=self.namespace,
                execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.first_run_id),
                maximum_page_size=1,
                skip_archival=True,
            )
            response = await self._call(self.service.get_workflow_execution_history, request)
            if response is None or not response.history.events:
                return None
            self._remember(key, _keyword(response.history.events[0], search_attribute))
        return self._owners[key]

    def _remember(self, key: tuple[str, str], owner: str) -> None:
        if len(self._owners) >= OWNERS_KEPT:
            del self._owners[next(iter(self._owners))]
        self._owners[key] = owner

    async def _call(self, rpc: Callable[..., Awaitable[Response]], request: Message) -> Response | None:
        return await call_redacted(rpc, request, self.redact)

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        """Return the run's close event, or why there is none. Reads the last event: a close event is waited for."""
        for size in LAST_PAGES:
            request = GetWorkflowExecutionHistoryReverseRequest(
                namespace=self.namespace, execution=_execution(run), maximum_page_size=size
            )
            response = await self._call(self.service.get_workflow_execution_history_reverse, request)
            if response is None:
                return Unclosed.MISSING
            if response.history.events:
                return _closing(response.history.events[0]) or Unclosed.OPEN
        raise TemporalError(f"Temporal shows no event of run {run.run_id}, though it knows the run")

    async def close_event_and_children(self, run: Run) -> tuple[CloseEvent | Unclosed, tuple[str, ...] | None]:
        """Return what `close_event` does and, of a run that has closed for good, what `abandoned_children` does.

        Both are asked for at the same time.
        """
        children = asyncio.create_task(self.abandoned_children(run))
        try:
            closing = await self.close_event(run)
            ended = isinstance(closing, CloseEvent) and not closing.successor
            return closing, await children if ended else None
        finally:
            children.cancel()

    async def abandoned_children(self, run: Run) -> tuple[str, ...] | None:
        """Return the children that outlive the run; None where they can't be seen, which raises nothing."""
        with suppress(TemporalError):
            if described := await self.describe(run.workflow_id, run.run_id):
                return described.abandoned
        return None

    async def terminate(self, run: Run, order: TerminationRequest, *, chain: bool = False) -> None:
        """Ask for the termination of this run, or of whichever run of its chain is open. Proves nothing."""
        request = TerminateWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.workflow_id) if chain else _execution(run),
            first_execution_run_id=run.first_run_id if chain else "",
            reason=order.reason,
            details=Payloads(payloads=[_details(order)]),
            identity=_identity(order),
        )
        await self._call(self.service.terminate_workflow_execution, request)

    async def request_cancel(self, run: Run, order: TerminationRequest) -> None:
        """Ask the workflow to cancel itself. Repeating it changes nothing."""
        request = RequestCancelWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=_execution(run),
            identity=_identity(order),
            request_id=order.execution_uid,
            reason=order.reason,
        )
        await self._call(self.service.request_cancel_workflow_execution, request)


def _execution(run: Run) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id)


def _identity(order: TerminationRequest) -> str:
    return f"execution-operator/{order.namespace}/{order.name}"


def _details(order: TerminationRequest) -> Payload:
    """Return plain JSON whatever codec the workflows use, so that recognising our own needs no keys."""
    content = {
        "executionUid": order.execution_uid,
        "execution": f"{order.namespace}/{order.name}",
        "requestedBy": order.requested_by,
    }
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(content).encode())


def _described(response: DescribeWorkflowExecutionResponse) -> RunDescription:
    info = response.workflow_execution_info
    if not info.first_run_id:
        raise TemporalError(
            "this Temporal server does not tell a run's first run: 1.25 or newer is needed", refused=True
        )
    run = Run(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        first_run_id=info.first_run_id,
        started_at=info.start_time.ToJsonString(),
    )
    abandoned = (
        child.workflow_id
        for child in response.pending_children
        if child.parent_close_policy == ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON
    )
    if info.status not in STATUSES:
        raise TemporalError(
            f"run {run.run_id} has status {info.status}, which this operator does not know", refused=True
        )
    return RunDescription(
        run, STATUSES[info.status], tuple(abandoned), response.workflow_extended_info.cancel_requested
    )


def _keyword(event: HistoryEvent, search_attribute: str) -> str:
    """Return the Keyword search attribute that the workflow was started with; empty if it was started without."""
    fields = event.workflow_execution_started_event_attributes.search_attributes.indexed_fields
    if search_attribute not in fields:
        return ""
    try:
        value = json.loads(fields[search_attribute].data)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def _closing(event: HistoryEvent) -> CloseEvent | None:
    """Read a close event; None if the event is none."""
    if event.event_type not in CLOSE_EVENTS:
        return None
    status, name = CLOSE_EVENTS[event.event_type]
    at = event.event_time.ToJsonString()
    attributes = getattr(event, f"{name}_event_attributes")
    if status is not RunStatus.TERMINATED:
        return CloseEvent(status, at, successor=getattr(attributes, "new_execution_run_id", ""))
    details = _own_details(attributes.details)
    return CloseEvent(
        status,
        at,
        reason=attributes.reason,
        identity=attributes.identity,
        execution_uid=details.get("executionUid", ""),
        requested_by=details.get("requestedBy", ""),
    )


def _own_details(payloads: Payloads) -> dict[str, str]:
    """Return the details of a termination if they are of our form; somebody else's are none of ours."""
    if len(payloads.payloads) != 1 or payloads.payloads[0].metadata.get("encoding") != b"json/plain":
        return {}
    try:
        content = json.loads(payloads.payloads[0].data)
    except ValueError:
        return {}
    return {key: value for key, value in content.items() if isinstance(value, str)} if isinstance(content, dict) else {}
