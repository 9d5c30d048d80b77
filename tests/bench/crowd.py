"""Executions in any number, as our operator leaves them, and the workflows of those that are to be ended."""

import asyncio
import copy
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client

from tests.bench.counts import FILLING
from tests.bench.etcd import KEY
from tests.bench.kube import Json, Kube, executions
from tests.bench.stage import CROWD, Stage
from tests.support.operator import Operator

AT_ONCE = 50
FIRST_SIGHT = 60
TASK_QUEUE = "nobody"
EVENTS = "/registry/events/"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Filling:
    """Executions that need nothing: how many, and what share of them is finished."""

    size: int
    finished: float


class Crowd:
    """Makes Executions of two shapes: `open`, with its run pinned, and `finished`."""

    def __init__(self, stage: Stage, kube: Kube, client: Client) -> None:
        self._stage, self._kube, self._client = stage, kube, client
        self._shapes: dict[str, Json] = {}
        self._stored: dict[str, Json] = {}

    async def learn(self) -> None:
        """Have our operator see one Execution of each shape, and keep what the API server stored of it."""
        await self._begin("shape-open")
        await self._begin("shape-finished")
        await self._client.get_workflow_handle("shape-finished").terminate()
        operator = Operator(self._stage.control_plane, self._stage.temporal.address)
        await asyncio.to_thread(operator.start)
        try:
            for shape, phase in (("open", "running"), ("finished", "cancelled")):
                self._shapes[shape] = await self._seen(f"shape-{shape}", phase)
        finally:
            await asyncio.to_thread(operator.stop)
        await self.clear()

    async def start(self, names: list[str]) -> None:
        """Start a workflow for each name, and store its Execution, open."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def begin(name: str) -> tuple[str, str]:
            async with slots:
                return name, await self._begin(name)

        runs = dict(await asyncio.gather(*(begin(name) for name in names)))
        made = {name: self._make("open", name, run) for name, run in runs.items()}
        self._stored |= made
        await self._stage.etcd.write((_key(name), value) for name, value in made.items())

    async def fill(self, filling: Filling) -> None:
        """Store Executions that nobody will touch; their workflows do not exist."""
        await self._stage.etcd.write(self._filling(filling))

    async def ask(self, names: list[str]) -> None:
        """Ask for the termination of all, as fast as etcd writes."""
        await self._stage.etcd.write((_key(name), _asked(self._stored.pop(name))) for name in names)

    async def clear(self) -> None:
        """Remove all Executions and Events."""
        self._stored.clear()
        await self._stage.etcd.remove(_key(""))
        await self._stage.etcd.remove(f"{EVENTS}{CROWD}/")

    def _filling(self, filling: Filling) -> Iterator[tuple[str, Json]]:
        for number in range(filling.size):
            shape = "finished" if number < filling.size * filling.finished else "open"
            name = f"{FILLING}{number}"
            yield _key(name), self._make(shape, name, str(uuid.uuid4()))

    def _make(self, shape: str, name: str, run_id: str) -> Json:
        made = copy.deepcopy(self._shapes[shape])
        made["metadata"] |= {"name": name, "uid": str(uuid.uuid4())}
        made["spec"]["executionId"] = name
        made["status"] |= {"workflowId": name, "runId": run_id, "firstRunId": run_id}
        return made

    async def _begin(self, workflow_id: str) -> str:
        """Start a workflow that no worker takes up; return its run."""
        handle = await self._client.start_workflow(
            "Crowd", id=workflow_id, task_queue=TASK_QUEUE, execution_timeout=DAY
        )
        return str(handle.result_run_id)

    async def _seen(self, name: str, phase: str) -> Json:
        body = {
            "apiVersion": "control-plane.kubiya.ai/v1alpha1",
            "kind": "Execution",
            "metadata": {"name": name},
            "spec": {"executionId": name},
        }
        await self._kube.create(executions(CROWD), body)
        async with asyncio.timeout(FIRST_SIGHT):
            while True:
                stored = await self._stage.etcd.read(_key(name))
                if stored.get("status", {}).get("phase") == phase:
                    return stored
                await asyncio.sleep(0.1)


def _key(name: str) -> str:
    return f"{KEY}{CROWD}/{name}"


def _asked(execution: Json) -> Json:
    """Return it with a request, as the API server would store it."""
    metadata: dict[str, Any] = {**execution["metadata"], "generation": execution["metadata"]["generation"] + 1}
    return {**execution, "metadata": metadata, "spec": {**execution["spec"], "terminate": {"reason": "bench"}}}
