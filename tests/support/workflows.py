"""The workflows that tests and demo run."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ParentClosePolicy

TASK_QUEUE = "samples"


@workflow.defn
class Agent:
    """Runs for a day, or until it is cancelled."""

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(timedelta(days=1))


@workflow.defn
class Stubborn:
    """Swallows every cancellation."""

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
    """Continues as new at each signal `next`, or by itself without a pause when told to race."""

    def __init__(self) -> None:
        self._next = False

    @workflow.run
    async def run(self, *, race: bool = False) -> None:
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
    workflows: list[Callable[..., object]] = [Agent, Stubborn, Done, Broken, Chain, Parent]
    return Worker(client, task_queue=TASK_QUEUE, workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner())
