"""What happens to workflows elsewhere, and what becomes of finished Executions, on real servers."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Chain
from tests.support.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(durable=True, dynamic_config={"frontend.WorkflowPauseEnabled": True}) as running:
        running.organization("acme", "team-a")
        running.organization("globex", "team-b")
        yield running


@pytest.fixture
def name() -> str:
    return f"fed-{uuid.uuid4().hex[:6]}"


def observed(world: World, name: str, **options: Any) -> None:
    """Start a workflow, create its Execution, and wait until it was seen."""
    world.samples.begin(Agent, name, **options)
    world.apply("Execution", name, {"executionId": name}, "team-a")
    world.until(name, Finished="False/Open")


def elsewhere(world: World, name: str, act: str) -> None:
    """Do something to the workflow as its own people do."""
    handle = world.samples.client.get_workflow_handle(name)
    world.samples.do(getattr(handle, act)())


def go_on(world: World, name: str) -> None:
    """Have a Chain continue as new, and wait until its next run is pinned."""
    before = world.get(name)["status"]["runId"]
    world.samples.do(world.samples.client.get_workflow_handle(name).signal("next"))
    wait_for(lambda: world.get(name)["status"]["runId"] != before, "the pin to move", 15)


class TestClosings:
    """What closes by itself, or by others, shows."""

    def test_cancelled_elsewhere(self, world: World, name: str) -> None:
        observed(world, name)
        elsewhere(world, name, "cancel")
        status = world.until(name, Finished="True/Canceled")["status"]
        assert (status["phase"], "terminatedAt" in status, "termination" in status) == ("cancelled", False, False)

    def test_terminated_elsewhere(self, world: World, name: str) -> None:
        observed(world, name)
        elsewhere(world, name, "terminate")
        status = world.until(name, Finished="True/Terminated")["status"]
        at = world.samples.last_event(name).event_time.ToJsonString()
        assert (status["phase"], status["terminatedAt"]) == ("cancelled", at)

    def test_timed_out(self, world: World, name: str) -> None:
        observed(world, name, execution_timeout=timedelta(seconds=2))
        assert world.until(name, Finished="True/TimedOut")["status"]["phase"] == "failed"

    def test_continued_as_new_moves_the_pin(self, world: World, name: str) -> None:
        first = world.samples.begin(Chain, name).first_execution_run_id
        world.apply("Execution", name, {"executionId": name}, "team-a")
        world.until(name, Finished="False/Open")
        for _ in range(2):
            go_on(world, name)
        status = world.get(name)["status"]
        assert (status["phase"], status["firstRunId"]) == ("running", first)

    def test_while_the_operator_is_down(self, world: World, name: str) -> None:
        observed(world, name)
        world.operator.kill()
        elsewhere(world, name, "cancel")
        others = [f"{name}-{number}" for number in range(3)]
        for other in others:  # what closes later must not hide what closed before
            world.samples.begin(Agent, other)
            elsewhere(world, other, "cancel")
        world.operator.start()
        world.until(name, Finished="True/Canceled")

    def test_while_temporal_is_away_from_the_operator(self, world: World, name: str) -> None:
        observed(world, name, execution_timeout=timedelta(seconds=4))
        world.temporal.kill()
        world.temporal.start()
        assert world.until(name, seconds=60, Finished="True/TimedOut")["status"]["phase"] == "failed"

    def test_many_at_once(self, world: World, name: str) -> None:
        names = [f"{name}-{number}" for number in range(15)]
        for one in names:
            world.samples.begin(Agent, one)
            world.apply("Execution", one, {"executionId": one}, "team-a")
        for one in names:
            world.until(one, Finished="False/Open")
        world.samples.do(_cancel_all(world.samples.client, names))
        for one in names:
            world.until(one, Finished="True/Canceled")


def shows(world: World, name: str, phase: str) -> None:
    wait_for(lambda: world.get(name)["status"]["phase"] == phase, f"the phase {phase}", 15)


class TestPauses:
    """What its people pause, and have go on, shows."""

    def test_paused_and_unpaused_elsewhere(self, world: World, name: str) -> None:
        observed(world, name)
        for act, phase in (("pause", "paused"), ("unpause", "running"), ("pause", "paused")):
            world.temporal.cli("workflow", act, "-n", "shared", "-w", name, "--reason", "lunch")
            shows(world, name, phase)

    def test_while_the_operator_is_down(self, world: World, name: str) -> None:
        observed(world, name)
        world.operator.kill()
        world.temporal.cli("workflow", "pause", "-n", "shared", "-w", name, "--reason", "lunch")
        world.operator.start()
        shows(world, name, "paused")


async def _cancel_all(client: Client, names: list[str]) -> None:
    await asyncio.gather(*(client.get_workflow_handle(name).cancel() for name in names))


class TestExpiry:
    """`ttlSecondsAfterFinished`."""

    def test_a_finished_execution_goes_in_its_time(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        spec = {"executionId": name, "ttlSecondsAfterFinished": 3, "terminate": {"reason": "one-shot"}}
        world.apply("Execution", name, spec, "team-a")
        world.until(name, Terminated="True/Terminated")
        assert world.samples.status(name) == "TERMINATED"
        wait_for(lambda: not exists(world, name), "the Execution to go", 15)

    def test_zero_means_at_once_also_when_set_afterwards(self, world: World, name: str) -> None:
        observed(world, name)
        world.terminate(name, "done with it")
        world.until(name, Terminated="True/Terminated")
        world.control_plane.kubectl(
            "patch", "execution", name, "-nteam-a", "--type=merge", '--patch={"spec":{"ttlSecondsAfterFinished":0}}'
        )
        wait_for(lambda: not exists(world, name), "the Execution to go", 15)

    def test_an_open_one_stays(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        world.apply("Execution", name, {"executionId": name, "ttlSecondsAfterFinished": 0}, "team-a")
        world.until(name, Finished="False/Open")
        later = f"{name}-later"
        world.samples.begin(Agent, later)
        world.apply("Execution", later, {"executionId": later, "ttlSecondsAfterFinished": 0}, "team-a")
        world.terminate(later, "this one only")
        wait_for(lambda: not exists(world, later), "the finished Execution to go", 15)
        assert exists(world, name)

    def test_due_while_the_operator_is_down(self, world: World, name: str) -> None:
        world.samples.begin(Agent, name)
        spec = {"executionId": name, "ttlSecondsAfterFinished": 2, "terminate": {"reason": "one-shot"}}
        world.apply("Execution", name, spec, "team-a")
        world.until(name, Terminated="True/Terminated")
        world.operator.kill()
        world.operator.start()
        wait_for(lambda: not exists(world, name), "the Execution to go", 15)


def exists(world: World, name: str) -> bool:
    found = world.control_plane.kubectl("get", "execution", name, "-nteam-a", "--ignore-not-found", "--output=name")
    return bool(found.stdout.strip())
