"""Converts responses and history events of Temporal into the values of the core."""

import json

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, ParentClosePolicy, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import CloseEvent, Run, RunDescription, RunStatus

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
"""The status of a run, by Temporal's status."""

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
"""The types of close events, each with the status of the run and the prefix of the event's attributes field."""


def run_description(response: DescribeWorkflowExecutionResponse) -> RunDescription:
    """Return the run that a response describes.

    Raises:
        TemporalError: The response lacks the first run of the chain, or has an unknown status.
    """
    info = response.workflow_execution_info
    if not info.first_run_id:
        raise TemporalError(
            "this Temporal server does not return the first run of a chain: upgrade it to version 1.25 or newer",
            refused=True,
        )
    if info.status not in STATUSES:
        raise TemporalError(
            f"run {info.execution.run_id} has status {info.status}, which this operator does not know: upgrade the"
            " operator",
            refused=True,
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
    return RunDescription(
        run, STATUSES[info.status], tuple(abandoned), response.workflow_extended_info.cancel_requested
    )


def keyword_attribute(start_event: HistoryEvent, search_attribute: str) -> str:
    """Return the value of a Keyword search attribute in a start event. Empty if the attribute was not set."""
    fields = start_event.workflow_execution_started_event_attributes.search_attributes.indexed_fields
    if search_attribute not in fields:
        return ""
    try:
        value = json.loads(fields[search_attribute].data)
    except ValueError:
        return ""
    return value if isinstance(value, str) else ""


def close_event(event: HistoryEvent) -> CloseEvent | None:
    """Return the close event, or None if the event is not a close event."""
    if event.event_type not in CLOSE_EVENTS:
        return None
    status, prefix = CLOSE_EVENTS[event.event_type]
    at = event.event_time.ToJsonString()
    attributes = getattr(event, f"{prefix}_event_attributes")
    if status is not RunStatus.TERMINATED:
        return CloseEvent(status, at, successor=getattr(attributes, "new_execution_run_id", ""))
    details = _operator_details(attributes.details)
    return CloseEvent(
        status,
        at,
        reason=attributes.reason,
        identity=attributes.identity,
        execution_uid=details.get("executionUid", ""),
        requested_by=details.get("requestedBy", ""),
    )


def _operator_details(payloads: Payloads) -> dict[str, str]:
    """Return the details of a termination if an operator can have written them, else an empty dict."""
    if len(payloads.payloads) != 1 or payloads.payloads[0].metadata.get("encoding") != b"json/plain":
        return {}
    try:
        content = json.loads(payloads.payloads[0].data)
    except ValueError:
        return {}
    return {key: value for key, value in content.items() if isinstance(value, str)} if isinstance(content, dict) else {}
