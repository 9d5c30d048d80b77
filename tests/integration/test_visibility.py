"""What happens to workflows elsewhere, and what becomes of finished Executions, on real servers."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.stack import LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Chain


@pytest.fixture(scope="module")
def stack() -> Iterator[LocalStack]:
    with LocalStack(durable=True, dynamic_config={"frontend.WorkflowPauseEnabled": True}) as running:
        running.organization("acme", "team-a")
        running.organization("globex", "team-b")
        yield running


@pytest.fixture
def name() -> str:
    return f"fed-{uuid.uuid4().hex[:6]}"


def observed(stack: LocalStack, name: str, **options: Any) -> None:
    """Start a workflow, create its Execution, and wait until it was seen."""
    stack.samples.begin(Agent, name, **options)
    stack.apply("Execution", name, {"executionId": name}, "team-a")
    stack.until(name, Finished="False/Open")


def elsewhere(stack: LocalStack, name: str, act: str) -> None:
    """Do something to the workflow as its own people do."""
    handle = stack.samples.client.get_workflow_handle(name)
    stack.samples.do(getattr(handle, act)())


def go_on(stack: LocalStack, name: str) -> None:
    """Have a Chain continue as new, and wait until its next run is pinned."""
    before = stack.get(name)["status"]["runId"]
    stack.samples.do(stack.samples.client.get_workflow_handle(name).signal("next"))
    wait_for(lambda: stack.get(name)["status"]["runId"] != before, "the pin to move", 15)


class TestClosedRuns:
    """What closes by itself, or by others, shows."""

    def test_cancelled_elsewhere(self, stack: LocalStack, name: str) -> None:
        observed(stack, name)
        elsewhere(stack, name, "cancel")
        status = stack.until(name, Finished="True/Canceled")["status"]
        assert (status["phase"], "terminatedAt" in status, "termination" in status) == ("cancelled", False, False)

    def test_terminated_elsewhere(self, stack: LocalStack, name: str) -> None:
        observed(stack, name)
        elsewhere(stack, name, "terminate")
        status = stack.until(name, Finished="True/Terminated")["status"]
        at = stack.samples.last_event(name).event_time.ToJsonString()
        assert (status["phase"], status["terminatedAt"]) == ("cancelled", at)

    def test_timed_out(self, stack: LocalStack, name: str) -> None:
        observed(stack, name, execution_timeout=timedelta(seconds=2))
        assert stack.until(name, Finished="True/TimedOut")["status"]["phase"] == "failed"

    def test_continued_as_new_moves_the_pin(self, stack: LocalStack, name: str) -> None:
        first = stack.samples.begin(Chain, name).first_execution_run_id
        stack.apply("Execution", name, {"executionId": name}, "team-a")
        stack.until(name, Finished="False/Open")
        for _ in range(2):
            go_on(stack, name)
        status = stack.get(name)["status"]
        assert (status["phase"], status["firstRunId"]) == ("running", first)

    def test_while_the_operator_is_down(self, stack: LocalStack, name: str) -> None:
        observed(stack, name)
        stack.operator.kill()
        elsewhere(stack, name, "cancel")
        others = [f"{name}-{number}" for number in range(3)]
        for other in others:  # what closes later must not hide what closed before
            stack.samples.begin(Agent, other)
            elsewhere(stack, other, "cancel")
        stack.operator.start()
        stack.until(name, Finished="True/Canceled")

    def test_while_temporal_is_away_from_the_operator(self, stack: LocalStack, name: str) -> None:
        observed(stack, name, execution_timeout=timedelta(seconds=4))
        stack.temporal.kill()
        stack.temporal.start()
        assert stack.until(name, seconds=60, Finished="True/TimedOut")["status"]["phase"] == "failed"

    def test_many_at_once(self, stack: LocalStack, name: str) -> None:
        names = [f"{name}-{number}" for number in range(15)]
        for one in names:
            stack.samples.begin(Agent, one)
            stack.apply("Execution", one, {"executionId": one}, "team-a")
        for one in names:
            stack.until(one, Finished="False/Open")
        stack.samples.do(_cancel_all(stack.samples.client, names))
        for one in names:
            stack.until(one, Finished="True/Canceled")


def shows(stack: LocalStack, name: str, phase: str) -> None:
    wait_for(lambda: stack.get(name)["status"]["phase"] == phase, f"the phase {phase}", 15)


class TestPauses:
    """What its people pause, and have go on, shows."""

    def test_paused_and_unpaused_elsewhere(self, stack: LocalStack, name: str) -> None:
        observed(stack, name)
        for act, phase in (("pause", "paused"), ("unpause", "running"), ("pause", "paused")):
            stack.temporal.cli("workflow", act, "-n", "shared", "-w", name, "--reason", "lunch")
            shows(stack, name, phase)

    def test_while_the_operator_is_down(self, stack: LocalStack, name: str) -> None:
        observed(stack, name)
        stack.operator.kill()
        stack.temporal.cli("workflow", "pause", "-n", "shared", "-w", name, "--reason", "lunch")
        stack.operator.start()
        shows(stack, name, "paused")


async def _cancel_all(client: Client, names: list[str]) -> None:
    await asyncio.gather(*(client.get_workflow_handle(name).cancel() for name in names))


class TestExpiry:
    """`ttlSecondsAfterFinished`."""

    def test_a_finished_execution_is_deleted_after_its_ttl(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        spec = {"executionId": name, "ttlSecondsAfterFinished": 3, "terminate": {"reason": "one-shot"}}
        stack.apply("Execution", name, spec, "team-a")
        stack.until(name, Terminated="True/Terminated")
        assert stack.samples.status(name) == "TERMINATED"
        wait_for(lambda: not exists(stack, name), "the Execution to go", 15)

    def test_a_ttl_of_zero_deletes_at_once_also_when_set_later(self, stack: LocalStack, name: str) -> None:
        observed(stack, name)
        stack.terminate(name, "done with it")
        stack.until(name, Terminated="True/Terminated")
        stack.control_plane.kubectl(
            "patch", "execution", name, "-nteam-a", "--type=merge", '--patch={"spec":{"ttlSecondsAfterFinished":0}}'
        )
        wait_for(lambda: not exists(stack, name), "the Execution to go", 15)

    def test_an_open_execution_is_not_deleted(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        stack.apply("Execution", name, {"executionId": name, "ttlSecondsAfterFinished": 0}, "team-a")
        stack.until(name, Finished="False/Open")
        later = f"{name}-later"
        stack.samples.begin(Agent, later)
        stack.apply("Execution", later, {"executionId": later, "ttlSecondsAfterFinished": 0}, "team-a")
        stack.terminate(later, "this one only")
        wait_for(lambda: not exists(stack, later), "the finished Execution to go", 15)
        assert exists(stack, name)

    def test_due_while_the_operator_is_down(self, stack: LocalStack, name: str) -> None:
        stack.samples.begin(Agent, name)
        spec = {"executionId": name, "ttlSecondsAfterFinished": 2, "terminate": {"reason": "one-shot"}}
        stack.apply("Execution", name, spec, "team-a")
        stack.until(name, Terminated="True/Terminated")
        stack.operator.kill()
        stack.operator.start()
        wait_for(lambda: not exists(stack, name), "the Execution to go", 15)


def exists(stack: LocalStack, name: str) -> bool:
    found = stack.control_plane.kubectl("get", "execution", name, "-nteam-a", "--ignore-not-found", "--output=name")
    return bool(found.stdout.strip())
