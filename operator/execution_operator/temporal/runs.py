"""The port `Runs` on a real Temporal server."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    RequestCancelWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.service import WorkflowService

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import CloseEvent, Run, RunDescription, TerminationRequest, Unclosed
from execution_operator.temporal import responses
from execution_operator.temporal.calls import Response, call_redacted

LAST_EVENT_PAGE_SIZES = range(1, 17)
"""The page sizes to try, in batches of events, until a page shows the last event. The first is almost always enough.

A write that Temporal aborted (after a crash, or when a shard moved) leaves a batch of events that is not part of the
history. Such a batch still takes a place on the page. The page is then empty and has no token, though the run has a
history.
"""

MAX_REMEMBERED_OWNERSHIP_VALUES = 10_000
"""Maximum number of ownership values to remember. A start event never changes."""


@dataclass
class TemporalRuns:
    """The runs of one Temporal namespace.

    Every call has a timeout and is not retried here. It raises TemporalError if Temporal gave no answer or refused it.

    Attributes:
        service: The client of the Temporal server.
        namespace: The name of the Temporal namespace.
        redact: Removes from a server's message what must not be shown. Some servers repeat the credential.
    """

    service: WorkflowService
    namespace: str
    redact: Callable[[str], str] = str
    _ownership_values: dict[tuple[str, str], str] = field(default_factory=dict)

    async def describe(self, workflow_id: str, run_id: str) -> RunDescription | None:
        """Return a run, or None if Temporal knows no such run. An empty `run_id` means the workflow's latest run."""
        request = DescribeWorkflowExecutionRequest(
            namespace=self.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
        response = await self._call(self.service.describe_workflow_execution, request)
        return responses.run_description(response) if response else None

    async def ownership_value(self, run: Run, search_attribute: str) -> str | None:
        """Return the value of a search attribute in the start event of the chain's first run.

        Nothing can change a start event, while a workflow can upsert its search attributes.

        Returns:
            The value. Empty if the run was started without the attribute. None if the history no longer exists.
        """
        key = (run.first_run_id, search_attribute)
        if key not in self._ownership_values:
            request = GetWorkflowExecutionHistoryRequest(
                namespace=self.namespace,
                execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.first_run_id),
                maximum_page_size=1,
                skip_archival=True,
            )
            response = await self._call(self.service.get_workflow_execution_history, request)
            if response is None or not response.history.events:
                return None
            self._remember(key, responses.keyword_attribute(response.history.events[0], search_attribute))
        return self._ownership_values[key]

    def _remember(self, key: tuple[str, str], value: str) -> None:
        if len(self._ownership_values) >= MAX_REMEMBERED_OWNERSHIP_VALUES:
            del self._ownership_values[next(iter(self._ownership_values))]
        self._ownership_values[key] = value

    async def _call(self, rpc: Callable[..., Awaitable[Response]], request: Message) -> Response | None:
        return await call_redacted(rpc, request, self.redact)

    async def close_event(self, run: Run) -> CloseEvent | Unclosed:
        """Return the run's close event, or why there is none.

        This reads the last event of the history. A request for the close event would block until the run closes.
        """
        for page_size in LAST_EVENT_PAGE_SIZES:
            request = GetWorkflowExecutionHistoryReverseRequest(
                namespace=self.namespace, execution=_execution(run), maximum_page_size=page_size
            )
            response = await self._call(self.service.get_workflow_execution_history_reverse, request)
            if response is None:
                return Unclosed.MISSING
            if response.history.events:
                return responses.close_event(response.history.events[0]) or Unclosed.OPEN
        raise TemporalError(f"Temporal returns no event of run {run.run_id}, although it knows the run")

    async def close_event_and_children(self, run: Run) -> tuple[CloseEvent | Unclosed, tuple[str, ...] | None]:
        """Return the result of `close_event` and, if the chain has ended, that of `abandoned_children`.

        Both are requested concurrently. The second result is None if the run is open or has a successor.
        """
        children = asyncio.create_task(self.abandoned_children(run))
        try:
            event = await self.close_event(run)
            ended = isinstance(event, CloseEvent) and not event.successor
            return event, await children if ended else None
        finally:
            children.cancel()

    async def abandoned_children(self, run: Run) -> tuple[str, ...] | None:
        """Return the workflow IDs of the children that outlive the run, or None if they can't be read.

        This never raises TemporalError.
        """
        with suppress(TemporalError):
            if description := await self.describe(run.workflow_id, run.run_id):
                return description.abandoned
        return None

    async def terminate(self, run: Run, termination: TerminationRequest, *, chain: bool = False) -> None:
        """Request the termination of a run. A success does not prove that this request closed the run.

        Args:
            run: The run.
            termination: Names the Execution, and gives the reason.
            chain: Terminate the open run of the chain that `run` belongs to, whichever run that is.
        """
        request = TerminateWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.workflow_id) if chain else _execution(run),
            first_execution_run_id=run.first_run_id if chain else "",
            reason=termination.reason,
            details=Payloads(payloads=[_details(termination)]),
            identity=_identity(termination),
        )
        await self._call(self.service.terminate_workflow_execution, request)

    async def request_cancel(self, run: Run, termination: TerminationRequest) -> None:
        """Request that the workflow cancels itself. The request is idempotent."""
        request = RequestCancelWorkflowExecutionRequest(
            namespace=self.namespace,
            workflow_execution=_execution(run),
            identity=_identity(termination),
            request_id=termination.execution_uid,
            reason=termination.reason,
        )
        await self._call(self.service.request_cancel_workflow_execution, request)


def _execution(run: Run) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id)


def _identity(termination: TerminationRequest) -> str:
    return f"execution-operator/{termination.namespace}/{termination.name}"


def _details(termination: TerminationRequest) -> Payload:
    """Return the details as plain JSON, whatever codec the workflows use: the operator can read them without a key."""
    content = {
        "executionUid": termination.execution_uid,
        "execution": f"{termination.namespace}/{termination.name}",
        "requestedBy": termination.requested_by,
    }
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(content).encode())
