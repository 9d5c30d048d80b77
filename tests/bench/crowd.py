"""Executions in any number, as our operator leaves them, and the workflows of those that are to be ended."""

import asyncio
import copy
import itertools
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.client import Client

from tests.bench.counts import FILLING
from tests.bench.etcd import KEY
from tests.bench.kube import Json, Kube, executions
from tests.bench.stage import CROWD, Stage
from tests.support.operator import Operator

AT_ONCE = 50
FIRST_SIGHT, CAUGHT_UP = 60, 180
"""Seconds that our operator and the API server may take."""

BETWEEN_LOOKS = 0.2
"""Seconds between two looks at Temporal's visibility."""

DISORDER = timedelta(seconds=2)
"""How far rows of visibility are out of order. Reading more of them anew would cost Temporal a core."""

SHAPES = {"open": "running", "finished": "cancelled"}
"""The phases of the shapes."""

ASKED = "asked-"
"""What the names of Executions that have workflows begin with."""

TASK_QUEUE = "nobody"
EVENTS = "/registry/events/"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Filling:
    """Executions that need nothing: how many, and what share of them is finished."""

    size: int
    finished: float

    @property
    def last(self) -> str:
        """The name that comes last."""
        return f"{FILLING}{self.size - 1:07}"


class Crowd:
    """Makes Executions of two shapes: `open`, with its run pinned, and `finished`."""

    def __init__(self, stage: Stage, kube: Kube, client: Client) -> None:
        self._stage, self._kube, self._client = stage, kube, client
        self._shapes: dict[str, Json] = {}
        self._stored: dict[str, Json] = {}
        self._filling: Filling | None = None
        self._numbers = itertools.count()

    async def learn(self) -> None:
        """Have our operator see one Execution of each shape, and keep what the API server stored of it."""
        for shape in SHAPES:
            await self._begin(f"shape-{shape}")
        await self._client.get_workflow_handle("shape-finished").terminate()
        operator = Operator(self._stage.control_plane, self._stage.temporal.address)
        await asyncio.to_thread(operator.start)
        try:
            for shape, phase in SHAPES.items():
                self._shapes[shape] = await self._seen(f"shape-{shape}", phase)
        finally:
            await asyncio.to_thread(operator.stop)
        await self._client.get_workflow_handle("shape-open").terminate()
        await self._remove("shape-", last="shape-open")

    async def open(self, size: int) -> list[str]:
        """Start workflows, store their Executions, open, and return the names that both have."""
        names = [f"{ASKED}{next(self._numbers):07}" for _ in range(size)]
        slots = asyncio.Semaphore(AT_ONCE)

        async def begin(name: str) -> str:
            async with slots:
                return await self._begin(name)

        runs = await asyncio.gather(*(begin(name) for name in names))
        made = {name: self._make("open", name, run) for name, run in zip(names, runs, strict=True)}
        self._stored |= made
        await self._stage.etcd.write((_key(name), value) for name, value in made.items())
        await self._noticed(names[-1], there=True)
        return names

    async def ask(self, names: list[str]) -> None:
        """Ask for the termination of all, as fast as etcd writes."""
        await self._stage.etcd.write((_key(name), _asked(self._stored[name])) for name in names)

    async def end(self, names: list[str]) -> dict[str, float]:
        """Terminate the workflows behind everybody's back; return the moments at which Temporal had done it."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def end(name: str) -> float:
            async with slots:
                await self._client.get_workflow_handle(name).terminate()
                return time.perf_counter()

        return dict(zip(names, await asyncio.gather(*map(end, names)), strict=True))

    async def shown(self, names: list[str], seconds: float) -> dict[str, float]:
        """Wait until Temporal's visibility shows that the workflows have closed.

        Returns the last moments at which it did not: what is counted from there is never too little.
        """
        since, begun = datetime.now(UTC), time.perf_counter()
        wanted, moments, before = set(names), dict[str, float](), begun
        while wanted and before - begun < seconds:
            now, newest = time.perf_counter(), since
            query = f'WorkflowType = "Crowd" AND CloseTime >= "{since.isoformat()}"'
            async for row in self._client.list_workflows(query, page_size=1000):
                newest = max(newest, row.close_time or newest)
                if row.id in wanted:
                    wanted.remove(row.id)
                    moments[row.id] = before
            before, since = now, max(since, newest - DISORDER)
            await asyncio.sleep(BETWEEN_LOOKS)
        return moments

    async def clear(self) -> None:
        """Remove all Executions that had workflows, and all Events."""
        await self._stage.etcd.remove(f"{EVENTS}{CROWD}/")
        if self._stored:
            await self._remove(ASKED, last=max(self._stored))
            self._stored.clear()

    async def fill(self, filling: Filling) -> None:
        """Store Executions that nobody will touch, unless they are there; their workflows do not exist."""
        if filling == self._filling:
            return
        await self.drain()
        self._filling = filling
        await self._stage.etcd.pour(self._all_of(filling))
        await self._noticed(filling.last, there=True)

    async def drain(self) -> None:
        """Remove the filling."""
        if self._filling:
            await self._remove(FILLING, last=self._filling.last)
            self._filling = None

    async def _remove(self, prefix: str, last: str) -> None:
        await self._stage.etcd.remove(_key(prefix))
        await self._noticed(last, there=False)

    async def _noticed(self, name: str, *, there: bool) -> None:
        """Wait until the API server's watch cache has caught up with etcd; who lists earlier waits for that too."""
        async with asyncio.timeout(CAUGHT_UP):
            while await self._kube.cached(executions(CROWD, name)) != there:  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.02)

    def _all_of(self, filling: Filling) -> Iterator[tuple[str, Json]]:
        for number in range(filling.size):
            shape = "finished" if number < filling.size * filling.finished else "open"
            name = f"{FILLING}{number:07}"
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
