"""The workflows that tests and demo run."""

import asyncio
import threading
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ParentClosePolicy

from tests.support.server import Server

T = TypeVar("T")
TASK_QUEUE = "samples"


@workflow.defn
class Agent:
    """Runs for a day, or until it is cancelled."""

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(days=1))


@workflow.defn
class Stubborn:
    """Ignores every cancellation."""

    @workflow.run
    async def run(self) -> None:
        while True:
            try:
                await workflow.sleep(timedelta(days=1))
            except asyncio.CancelledError:
                workflow.logger.debug("not me")


@workflow.defn
class Done:
    """Returns at once."""

    @workflow.run
    async def run(self) -> str:
        return "done"


@workflow.defn
class Broken:
    """Fails at once."""

    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("broken", non_retryable=True)


@workflow.defn
class Chain:
    """Continues as new at each signal `next`, or without a pause if `race` is true."""

    def __init__(self) -> None:
        self._next = False

    @workflow.run
    async def run(self, race: bool = False) -> None:  # noqa: FBT001, FBT002 - workflows take positional arguments
        if not race:
            await workflow.wait_condition(lambda: self._next)
        else:
            await workflow.sleep(timedelta(milliseconds=1))
        workflow.continue_as_new(race)

    @workflow.signal(name="next")
    def go_on(self) -> None:
        self._next = True


@workflow.defn
class Parent:
    """Starts a child that outlives it."""

    @workflow.run
    async def run(self) -> None:
        await workflow.start_child_workflow(
            Agent.run, id=f"{workflow.info().workflow_id}-child", parent_close_policy=ParentClosePolicy.ABANDON
        )
        await workflow.sleep(timedelta(days=1))


def worker(client: Client) -> Worker:
    """Return a worker for all of them. The sandbox is left out: it costs seconds, and these import nothing."""
    workflows: list[type] = [Agent, Stubborn, Done, Broken, Chain, Parent]
    return Worker(client, task_queue=TASK_QUEUE, workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner())


class Samples(Server):
    """A worker for the sample workflows in one Temporal namespace, in a thread of its own."""

    def __init__(self, address: str, namespace: str) -> None:
        self._address, self._namespace = address, namespace
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Connect and take up work."""
        self._thread.start()
        self.client = self.do(Client.connect(self._address, namespace=self._namespace))
        self._worker = self.do(_entered(worker(self.client)))

    def stop(self) -> None:
        """Take up no more work, and end the thread."""
        self.do(self._worker.shutdown())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def do(self, coroutine: Coroutine[Any, Any, T], seconds: float = 30) -> T:
        """Run a coroutine in the thread, and return its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)

    def begin(
        self, kind: type, workflow_id: str, organization: str | None = "acme", **options: Any
    ) -> WorkflowHandle[Any, Any]:
        """Start a workflow that names its organization, once its first task is done."""
        keys = (
            [SearchAttributePair(SearchAttributeKey.for_keyword("OrganizationId"), organization)]
            if organization
            else []
        )
        return self.do(
            self.client.start_workflow(
                kind.run,  # type: ignore[attr-defined]
                id=workflow_id,
                task_queue=TASK_QUEUE,
                search_attributes=TypedSearchAttributes(keys),
                **options,
            )
        )

    def last_event(self, workflow_id: str, run_id: str | None = None) -> HistoryEvent:
        """Return the last event of a run: the close event of a closed one."""
        return self.history(workflow_id, run_id)[-1]

    def history(self, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
        """Return a run's events."""
        handle = self.client.get_workflow_handle(workflow_id, run_id=run_id)
        return list(self.do(handle.fetch_history()).events)

    def terminated_runs(self) -> set[str]:
        """Return the IDs of all runs that were terminated, by whomever."""

        async def found() -> set[str]:
            query = "ExecutionStatus = 'Terminated'"
            return {workflow.run_id async for workflow in self.client.list_workflows(query)}

        return self.do(found())

    def status(self, workflow_id: str, run_id: str | None = None) -> str:
        """Return Temporal's status of a run: RUNNING, TERMINATED, ..."""
        description = self.do(self.client.get_workflow_handle(workflow_id, run_id=run_id).describe())
        return description.status.name if description.status else ""


async def _entered(one: Worker) -> Worker:
    return await one.__aenter__()
