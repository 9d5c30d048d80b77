"""Which runs of a Temporal namespace have closed or are paused, as its visibility has it: late, and out of order."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)
from temporalio.service import WorkflowService

from execution_operator.core.workflow.runs import ClosedRun
from execution_operator.temporal.calls import cleaned

PAGE = 1000
"""Rows in one answer: the most that every server gives."""

OPEN = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
)


@dataclass(frozen=True)
class TemporalVisibility:
    """The port `Visibility` on a real Temporal server.

    Attributes:
        turn: Awaited before each request: visibility has low limits.
        clean: Takes out of a server's words what must not be shown.
    """

    service: WorkflowService
    namespace: str
    turn: Callable[[], Awaitable[None]]
    clean: Callable[[str], str] = str

    async def newest(self) -> datetime | None:
        """Return when the run closed that closed last; None where none has."""
        rows = (await self._list(f'CloseTime > "{_EPOCH}"', size=1)).executions
        return _ended(rows[0]).at if rows else None

    async def closed(self, since: datetime, before: datetime | None = None, page: int = 0) -> AsyncIterator[ClosedRun]:
        """Yield the runs that closed in this time, the last ones first. `page`: ask for so many to begin with."""
        token, size = b"", page or PAGE
        while True:
            answer = await self._list(_within(since, before), token, size)
            for row in answer.executions:
                yield _ended(row)
            if not (token := answer.next_page_token):
                return
            size = PAGE

    async def count(self, since: datetime, before: datetime) -> int:
        """Return how many runs closed in this time."""
        await self.turn()
        request = CountWorkflowExecutionsRequest(namespace=self.namespace, query=_within(since, before))
        response = await cleaned(self.service.count_workflow_executions, request, self.clean)
        return response.count if response else 0

    async def among(self, run_ids: Sequence[str]) -> set[str]:
        """Return those of the runs, a page of them at most, that have closed."""
        names = ", ".join(f'"{run_id}"' for run_id in run_ids)
        rows = (await self._list(f"RunId IN ({names})")).executions
        return {row.execution.run_id for row in rows if row.status not in OPEN}

    async def paused(self, token: bytes) -> tuple[set[str], bytes]:
        """Return a page of the runs that are paused, and the token of the next one; empty after the last."""
        page = await self._list('ExecutionStatus = "Paused"', token)
        return {row.execution.run_id for row in page.executions}, page.next_page_token

    async def _list(self, query: str, token: bytes = b"", size: int = PAGE) -> ListWorkflowExecutionsResponse:
        await self.turn()
        request = ListWorkflowExecutionsRequest(
            namespace=self.namespace, page_size=size, next_page_token=token, query=query
        )
        response = await cleaned(self.service.list_workflow_executions, request, self.clean)
        return response or ListWorkflowExecutionsResponse()


_EPOCH = datetime.fromtimestamp(0, UTC).isoformat()


def _within(since: datetime, before: datetime | None) -> str:
    end = f' AND CloseTime < "{before.isoformat()}"' if before else ""
    return f'CloseTime >= "{since.isoformat()}"{end}'


def _ended(row: WorkflowExecutionInfo) -> ClosedRun:
    return ClosedRun(row.execution.run_id, row.close_time.ToDatetime(UTC))
