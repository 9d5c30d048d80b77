"""The port `Visibility` on a real Temporal server. Visibility can be late and out of order."""

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
from execution_operator.temporal.calls import call_redacted

MAX_PAGE_SIZE = 1000
"""Number of rows in a page: the maximum that every server supports."""

OPEN_STATUSES = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
)
"""The statuses of a run that has not closed."""


@dataclass(frozen=True)
class TemporalVisibility:
    """The visibility store of one Temporal namespace.

    Attributes:
        service: The client of the Temporal server.
        namespace: The name of the Temporal namespace.
        acquire: Awaited before each request, because servers allow few visibility requests a second.
        redact: Removes from a server's message what must not be shown.
    """

    service: WorkflowService
    namespace: str
    acquire: Callable[[], Awaitable[None]]
    redact: Callable[[str], str] = str

    async def newest_close_time(self) -> datetime | None:
        """Return the newest close time of any run, or None if no run has closed."""
        rows = (await self._list(f'CloseTime > "{_EPOCH}"', page_size=1)).executions
        return _closed_run(rows[0]).at if rows else None

    async def closed_runs(
        self, since: datetime, before: datetime | None = None, first_page_size: int = 0
    ) -> AsyncIterator[ClosedRun]:
        """Yield the runs that closed in a period, the newest first.

        Args:
            since: Start of the period, inclusive.
            before: End of the period, exclusive. None means no end.
            first_page_size: Number of rows in the first page. 0 means MAX_PAGE_SIZE, as for all further pages.
        """
        token, page_size = b"", first_page_size or MAX_PAGE_SIZE
        while True:
            page = await self._list(_closed_in(since, before), token, page_size)
            for row in page.executions:
                yield _closed_run(row)
            if not (token := page.next_page_token):
                return
            page_size = MAX_PAGE_SIZE

    async def count_closed(self, since: datetime, before: datetime) -> int:
        """Return how many runs closed in a period. `since` is inclusive, `before` is exclusive."""
        await self.acquire()
        request = CountWorkflowExecutionsRequest(namespace=self.namespace, query=_closed_in(since, before))
        response = await call_redacted(self.service.count_workflow_executions, request, self.redact)
        return response.count if response else 0

    async def closed_among(self, run_ids: Sequence[str]) -> set[str]:
        """Return the IDs of the given runs that have closed. At most MAX_PAGE_SIZE runs can be given."""
        quoted = ", ".join(f'"{run_id}"' for run_id in run_ids)
        rows = (await self._list(f"RunId IN ({quoted})")).executions
        return {row.execution.run_id for row in rows if row.status not in OPEN_STATUSES}

    async def paused_runs(self, page_token: bytes) -> tuple[set[str], bytes]:
        """Return one page of the IDs of paused runs, and the token of the next page (empty after the last page)."""
        page = await self._list('ExecutionStatus = "Paused"', page_token)
        return {row.execution.run_id for row in page.executions}, page.next_page_token

    async def _list(
        self, query: str, page_token: bytes = b"", page_size: int = MAX_PAGE_SIZE
    ) -> ListWorkflowExecutionsResponse:
        await self.acquire()
        request = ListWorkflowExecutionsRequest(
            namespace=self.namespace, page_size=page_size, next_page_token=page_token, query=query
        )
        response = await call_redacted(self.service.list_workflow_executions, request, self.redact)
        return response or ListWorkflowExecutionsResponse()


_EPOCH = datetime.fromtimestamp(0, UTC).isoformat()


def _closed_in(since: datetime, before: datetime | None) -> str:
    """Return the query for the runs that closed in a period."""
    end = f' AND CloseTime < "{before.isoformat()}"' if before else ""
    return f'CloseTime >= "{since.isoformat()}"{end}'


def _closed_run(row: WorkflowExecutionInfo) -> ClosedRun:
    return ClosedRun(row.execution.run_id, row.close_time.ToDatetime(UTC))
