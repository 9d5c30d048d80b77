"""The fake and the real Temporal server behind one interface, so that the same tests run on both."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Protocol, Self, TypeVar

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PauseWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from execution_operator.core.workflow.runs import CloseEvent, Run, RunDescription
from execution_operator.reconciler.ports import Runs
from execution_operator.temporal.runs import TemporalRuns
from tests.support.clock import Clock, at_once
from tests.support.fake_temporal import FakeRun, FakeRuns, FakeTemporal, OnCancel, ParentClosePolicy
from tests.support.temporal import TemporalServer
from tests.support.waiting import wait_for
from tests.support.workflows import Samples

T = TypeVar("T")

TASK_QUEUE = "puppets"
OWNER = SearchAttributeKey.for_keyword("OrganizationId")


class Backend(Protocol):
    """A Temporal server, with the actions of users and workers."""

    runs: Runs
    other_namespace: Runs
    """The runs of another namespace."""
    missing_namespace: Runs
    """The runs of a namespace that does not exist."""

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of the port to its end."""

    def start(  # noqa: PLR0913 - as many ways to start
        self,
        workflow_id: str,
        owner: str | None = "acme",
        *,
        swallows: bool = False,
        retries: bool = False,
        cron: bool = False,
        times_out: bool = False,
    ) -> Run:
        """Start a workflow."""

    def complete(self, run: Run) -> None:
        """Complete the workflow."""

    def fail(self, run: Run) -> None:
        """Fail the workflow."""

    def time_out(self, run: Run) -> None:
        """Wait until the run has timed out."""

    def continue_as_new(self, run: Run) -> Run:
        """Continue the workflow as new. Return the next run."""

    def overwrite_owner(self, run: Run, owner: str) -> None:
        """Overwrite the search attribute of the owner from within the workflow's code."""

    def child(self, run: Run, policy: ParentClosePolicy) -> Run:
        """Start a child workflow from the run."""

    def reset(self, run: Run) -> Run:
        """Reset the run. Return the new run."""

    def delete(self, run: Run) -> None:
        """Delete the run."""

    def pause(self, run: Run) -> None:
        """Pause the run."""

    def terminate_by_hand(self, run: Run, reason: str, identity: str) -> None:
        """Terminate the run as somebody else than the operator."""


def described(backend: Backend, workflow_id: str, run_id: str = "") -> RunDescription:
    """Describe a run that exists."""
    found = backend.do(backend.runs.describe(workflow_id, run_id))
    assert found is not None
    return found


def closing(backend: Backend, run: Run) -> CloseEvent:
    """Wait for the close event of a run, and return it."""

    def look() -> CloseEvent | None:
        found = backend.do(backend.runs.close_event(run))
        return found if isinstance(found, CloseEvent) else None

    return wait_for(look, f"the end of {run}", interval=0.01)


@dataclass
class FakeBackend:
    """The in-memory fake of Temporal."""

    server: FakeTemporal = field(default_factory=lambda: FakeTemporal(Clock(), ["acme", "other"]))
    retrying: set[str] = field(default_factory=set)
    cron: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.runs: Runs = FakeRuns(self.server)
        self.other_namespace: Runs = FakeRuns(self.server, "other")
        self.missing_namespace: Runs = FakeRuns(self.server, "nowhere")

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return at_once(coroutine)

    def start(  # noqa: PLR0913 - as the protocol
        self,
        workflow_id: str,
        owner: str | None = "acme",
        *,
        swallows: bool = False,
        retries: bool = False,
        cron: bool = False,
        times_out: bool = False,  # noqa: ARG002 - `time_out` lets it
    ) -> Run:
        attributes = {"OrganizationId": owner} if owner else {}
        on_cancel = OnCancel.SWALLOW if swallows else OnCancel.HONOUR
        if retries:
            self.retrying.add(workflow_id)
        if cron:
            self.cron.add(workflow_id)
        return self.server.start(workflow_id, attributes=attributes, on_cancel=on_cancel).pin

    def complete(self, run: Run) -> None:
        self.server.complete(self._of(run), cron=run.workflow_id in self.cron)

    def fail(self, run: Run) -> None:
        self.server.fail(self._of(run), retry=run.workflow_id in self.retrying)

    def time_out(self, run: Run) -> None:
        self.server.time_out(self._of(run))

    def continue_as_new(self, run: Run) -> Run:
        return self.server.continue_as_new(self._of(run)).pin

    def overwrite_owner(self, run: Run, owner: str) -> None:
        self.server.upsert(self._of(run), {"OrganizationId": owner})

    def child(self, run: Run, policy: ParentClosePolicy) -> Run:
        return self.server.start_child(self._of(run), f"{run.workflow_id}-{policy}", policy).pin

    def reset(self, run: Run) -> Run:
        return self.server.reset(self._of(run)).pin

    def delete(self, run: Run) -> None:
        self.server.delete(self._of(run))

    def pause(self, run: Run) -> None:
        self.server.pause(self._of(run))

    def terminate_by_hand(self, run: Run, reason: str, identity: str) -> None:
        self.server.terminate(run.workflow_id, run.run_id, reason=reason, identity=identity)

    def _of(self, run: Run) -> FakeRun:
        found = self.server.get(run.workflow_id, run.run_id)
        assert found is not None
        return found


@workflow.defn
class ScriptedWorkflow:
    """Executes the orders that it receives as signals."""

    def __init__(self) -> None:
        self._orders: list[str] = []

    @workflow.run
    async def run(self) -> None:
        while True:
            await workflow.wait_condition(lambda: bool(self._orders))
            order, *arguments = self._orders.pop(0).split()
            if order == "return":
                return
            await self._act(order, *arguments)

    @workflow.signal
    def order(self, order: str) -> None:
        self._orders.append(order)

    async def _act(self, order: str, *arguments: str) -> None:
        match order:
            case "fail":
                raise ApplicationError("broken")
            case "next":
                workflow.continue_as_new()
            case "forge":
                workflow.upsert_search_attributes([OWNER.value_set(arguments[0])])
            case "child":
                workflow_id, policy = arguments
                await workflow.start_child_workflow(
                    ScriptedWorkflow.run, id=workflow_id, parent_close_policy=workflow.ParentClosePolicy[policy]
                )
            case _:
                raise ApplicationError(f"no such order: {order}", non_retryable=True)


@workflow.defn
class IgnoresCancellation:
    """Ignores every cancellation."""

    @workflow.run
    async def run(self) -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await workflow.sleep(timedelta(days=1))


class RealBackend:
    """The real server, with a worker in a thread of its own."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._numbers = count()

    def __enter__(self) -> Self:
        server = self._stack.enter_context(TemporalServer(["acme", "other"], dynamic_config=SETTINGS))
        self._samples = self._stack.enter_context(Samples(server.address, "acme"))
        self._client = self._samples.client
        self.service = self._client.service_client.workflow_service
        self.runs: Runs = TemporalRuns(self.service, "acme")
        self.other_namespace: Runs = TemporalRuns(self.service, "other")
        self.missing_namespace: Runs = TemporalRuns(self.service, "nowhere")
        worker = Worker(
            self._client,
            task_queue=TASK_QUEUE,
            workflows=[ScriptedWorkflow, IgnoresCancellation],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        self.do(_entered(worker))
        self._stack.callback(lambda: self.do(worker.shutdown()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._samples.do(coroutine)

    def start(  # noqa: PLR0913 - as the protocol
        self,
        workflow_id: str,
        owner: str | None = "acme",
        *,
        swallows: bool = False,
        retries: bool = False,
        cron: bool = False,
        times_out: bool = False,
    ) -> Run:
        handle = self.do(
            self._client.start_workflow(
                IgnoresCancellation.run if swallows else ScriptedWorkflow.run,
                id=workflow_id,
                task_queue=TASK_QUEUE,
                search_attributes=TypedSearchAttributes([SearchAttributePair(OWNER, owner)] if owner else []),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10)) if retries else None,
                cron_schedule="@every 1s" if cron else "",
                run_timeout=timedelta(seconds=1) if times_out else None,
            )
        )
        run_id = handle.result_run_id or ""
        if not cron:
            self._until(lambda: self._events(workflow_id, run_id) >= FIRST_TASK_DONE, "the first task")
        return described(self, workflow_id, run_id).run

    def complete(self, run: Run) -> None:
        self._order(run, "return")
        closing(self, run)

    def fail(self, run: Run) -> None:
        self._order(run, "fail")
        closing(self, run)

    def time_out(self, run: Run) -> None:
        closing(self, run)

    def continue_as_new(self, run: Run) -> Run:
        self._order(run, "next")
        following = closing(self, run).successor
        return described(self, run.workflow_id, following).run

    def overwrite_owner(self, run: Run, owner: str) -> None:
        self._order(run, f"forge {owner}")
        handle = self._client.get_workflow_handle(run.workflow_id)

        def forged() -> bool:
            return self.do(handle.describe()).typed_search_attributes.get(OWNER) == owner

        self._until(forged, "the forgery")

    def child(self, run: Run, policy: ParentClosePolicy) -> Run:
        workflow_id = f"{run.workflow_id}-{policy}"
        self._order(run, f"child {workflow_id} {policy}")

        def look() -> RunDescription | None:
            parent = self.do(self._client.get_workflow_handle(run.workflow_id).describe())
            begun = [each for each in parent.raw_description.pending_children if each.workflow_id == workflow_id]
            return self.do(self.runs.describe(workflow_id, "")) if begun and begun[0].run_id else None

        return wait_for(look, "the child", interval=0.01).run

    def reset(self, run: Run) -> Run:
        request = ResetWorkflowExecutionRequest(
            namespace="acme",
            workflow_execution=_execution(run),
            reason="reset",
            workflow_task_finish_event_id=FIRST_TASK_DONE,
            request_id=f"reset-{next(self._numbers)}",
            reset_reapply_exclude_types=[ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL],
        )
        answer = self.do(self.service.reset_workflow_execution(request))
        return described(self, run.workflow_id, answer.run_id).run

    def delete(self, run: Run) -> None:
        request = DeleteWorkflowExecutionRequest(namespace="acme", workflow_execution=_execution(run))
        self.do(self.service.delete_workflow_execution(request))
        self._until(lambda: self.do(self.runs.describe(run.workflow_id, run.run_id)) is None, "the deletion")

    def pause(self, run: Run) -> None:
        request = PauseWorkflowExecutionRequest(
            namespace="acme", workflow_id=run.workflow_id, run_id=run.run_id, request_id=f"p{next(self._numbers)}"
        )
        self.do(self.service.pause_workflow_execution(request))
        self._until(lambda: described(self, run.workflow_id, run.run_id).paused, "the pause")

    def terminate_by_hand(self, run: Run, reason: str, identity: str) -> None:
        request = TerminateWorkflowExecutionRequest(
            namespace="acme", workflow_execution=_execution(run), reason=reason, identity=identity
        )
        self.do(self.service.terminate_workflow_execution(request))

    def _order(self, run: Run, order: str) -> None:
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        self.do(handle.signal("order", order))

    def _events(self, workflow_id: str, run_id: str) -> int:
        handle = self._client.get_workflow_handle(workflow_id, run_id=run_id)
        return self.do(handle.describe()).history_length

    def _until(self, check: Callable[[], bool], what: str) -> None:
        wait_for(check, what, interval=0.01)


SETTINGS = {
    "frontend.WorkflowPauseEnabled": True,
    "history.transferProcessorEnsureCloseBeforeDelete": False,
    "history.visibilityProcessorEnsureCloseBeforeDelete": False,
}
"""Pausing is off by default; deletions would wait a minute for the visibility store."""

FIRST_TASK_DONE = 4
"""The event that ends the first workflow task: the earliest point to reset to."""


def _execution(run: Run) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id)


async def _entered(worker: Worker) -> Worker:
    return await worker.__aenter__()
