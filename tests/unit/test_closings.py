"""What a look at visibility costs."""

import asyncio
import time
from typing import Any, cast

import pytest
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsResponse, ListWorkflowExecutionsResponse
from temporalio.service import WorkflowService

from execution_operator.core.errors import TemporalError
from execution_operator.temporal.closings import TemporalClosings
from tests.support.clock import EPOCH, run


class Slow:
    """A server whose answers take three seconds each, and that has none to a third question."""

    def __init__(self) -> None:
        self.asked = 0

    async def list_workflow_executions(self, *_: Any, **__: Any) -> ListWorkflowExecutionsResponse:
        await self._take()
        return ListWorkflowExecutionsResponse()

    async def count_workflow_executions(self, *_: Any, **__: Any) -> CountWorkflowExecutionsResponse:
        await self._take()
        return CountWorkflowExecutionsResponse()

    async def _take(self) -> None:
        self.asked += 1
        await asyncio.sleep(3)
        if self.asked > 2:
            raise RuntimeError("the client is closed")


def test_requests_take_their_time_and_the_waits_for_their_turns_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> float:
        monkeypatch.setattr(time, "monotonic", asyncio.get_running_loop().time)

        async def turn() -> None:
            await asyncio.sleep(60)

        seen = TemporalClosings(cast("WorkflowService", Slow()), "acme", turn)
        await seen.newest()
        await seen.count(EPOCH, EPOCH)
        with pytest.raises(TemporalError):
            await seen.paused(b"")
        return seen.took

    assert run(main()) == pytest.approx(9)
