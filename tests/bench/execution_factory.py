"""Creates any number of Executions in the form that the operator gives them, and workflows for some of them."""

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

from tests.bench.counts import IDLE_PREFIX
from tests.bench.etcd import KEY
from tests.bench.kube import Json, Kube, executions
from tests.bench.servers import EXECUTIONS_NAMESPACE, BenchServers
from tests.support.operator import Operator

CONCURRENCY = 50
OPERATOR_TIMEOUT_SECONDS, CACHE_TIMEOUT_SECONDS = 60, 180
"""Timeouts for our operator's first status, and for the API server's watch cache."""

POLL_INTERVAL_SECONDS = 0.2
"""Time between two queries of Temporal's visibility."""

VISIBILITY_DISORDER = timedelta(seconds=2)
"""The time by which rows of visibility may be out of order. A longer overlap would cost Temporal a core."""

SHAPES = {"open": "running", "finished": "cancelled"}
"""The phase of each shape."""

ASKED_PREFIX = "asked-"
"""The name prefix of Executions that have workflows."""

TASK_QUEUE = "nobody"
EVENTS = "/registry/events/"
DAY = timedelta(days=1)


@dataclass(frozen=True)
class IdleExecutions:
    """Executions that need no reconcile: their number, and the share of finished ones."""

    size: int
    finished: float

    @property
    def last(self) -> str:
        """The last name in their order."""
        return f"{IDLE_PREFIX}{self.size - 1:07}"


class ExecutionFactory:
    """Creates Executions of two shapes: `open` with a pinned run, and `finished`."""

    def __init__(self, servers: BenchServers, kube: Kube, client: Client) -> None:
        self._servers, self._kube, self._client = servers, kube, client
        self._shapes: dict[str, Json] = {}
        self._stored: dict[str, Json] = {}
        self._idle: IdleExecutions | None = None
        self._numbers = itertools.count()

    async def record_shapes(self) -> None:
        """Let our operator reconcile one Execution of each shape, and keep the stored object as the template."""
        for shape in SHAPES:
            await self._begin(f"shape-{shape}")
        await self._client.get_workflow_handle("shape-finished").terminate()
        operator = Operator(self._servers.control_plane, self._servers.temporal.address)
        await asyncio.to_thread(operator.start)
        try:
            for shape, phase in SHAPES.items():
                self._shapes[shape] = await self._seen(f"shape-{shape}", phase)
        finally:
            await asyncio.to_thread(operator.stop)
        await self._client.get_workflow_handle("shape-open").terminate()
        await self._remove("shape-", last="shape-open")

    async def open(self, size: int) -> list[str]:
        """Start workflows and store an open Execution for each. Return their names, which are the workflow IDs."""
        names = [f"{ASKED_PREFIX}{next(self._numbers):07}" for _ in range(size)]
        slots = asyncio.Semaphore(CONCURRENCY)

        async def begin(name: str) -> str:
            async with slots:
                return await self._begin(name)

        runs = await asyncio.gather(*(begin(name) for name in names))
        made = {name: self._make("open", name, run) for name, run in zip(names, runs, strict=True)}
        self._stored |= made
        await self._servers.etcd.write((_key(name), value) for name, value in made.items())
        await self._wait_for_cache(names[-1], there=True)
        return names

    async def request_termination(self, names: list[str]) -> None:
        """Request the termination of all, as fast as etcd writes."""
        await self._servers.etcd.write((_key(name), _asked(self._stored[name])) for name in names)

    async def end(self, names: list[str]) -> dict[str, float]:
        """Terminate the workflows in Temporal, past the peers. Return the moment of each termination."""
        slots = asyncio.Semaphore(CONCURRENCY)

        async def end(name: str) -> float:
            async with slots:
                await self._client.get_workflow_handle(name).terminate()
                return time.perf_counter()

        return dict(zip(names, await asyncio.gather(*map(end, names)), strict=True))

    async def wait_for_visibility(self, names: list[str], seconds: float) -> dict[str, float]:
        """Wait until Temporal's visibility shows that the workflows have closed.

        Returns the last moment at which visibility did not show each of them, so that delays are never underestimated.
        """
        since, begun = datetime.now(UTC), time.perf_counter()
        wanted, moments, before = set(names), dict[str, float](), begun
        while wanted and before - begun < seconds:
            now, newest = time.perf_counter(), since
            query = f'WorkflowType = "Bench" AND CloseTime >= "{since.isoformat()}"'
            async for row in self._client.list_workflows(query, page_size=1000):
                newest = max(newest, row.close_time or newest)
                if row.id in wanted:
                    wanted.remove(row.id)
                    moments[row.id] = before
            before, since = now, max(since, newest - VISIBILITY_DISORDER)
            await asyncio.sleep(POLL_INTERVAL_SECONDS)
        return moments

    async def clear(self) -> None:
        """Remove all Executions that had workflows, and all Events."""
        await self._servers.etcd.remove(f"{EVENTS}{EXECUTIONS_NAMESPACE}/")
        if self._stored:
            await self._remove(ASKED_PREFIX, last=max(self._stored))
            self._stored.clear()

    async def create_idle(self, filling: IdleExecutions) -> None:
        """Store idle Executions, unless they exist already. Their workflows do not exist."""
        if filling == self._idle:
            return
        await self.remove_idle()
        self._idle = filling
        await self._servers.etcd.write_in_batches(self._all_of(filling))
        await self._wait_for_cache(filling.last, there=True)

    async def remove_idle(self) -> None:
        """Remove the idle Executions."""
        if self._idle:
            await self._remove(IDLE_PREFIX, last=self._idle.last)
            self._idle = None

    async def _remove(self, prefix: str, last: str) -> None:
        await self._servers.etcd.remove(_key(prefix))
        await self._wait_for_cache(last, there=False)

    async def _wait_for_cache(self, name: str, *, there: bool) -> None:
        """Wait until the API server's watch cache has caught up with etcd, because a list waits for that, too."""
        async with asyncio.timeout(CACHE_TIMEOUT_SECONDS):
            while await self._kube.cached(executions(EXECUTIONS_NAMESPACE, name)) != there:  # noqa: ASYNC110 (nothing tells of it)
                await asyncio.sleep(0.02)

    def _all_of(self, filling: IdleExecutions) -> Iterator[tuple[str, Json]]:
        for number in range(filling.size):
            shape = "finished" if number < filling.size * filling.finished else "open"
            name = f"{IDLE_PREFIX}{number:07}"
            yield _key(name), self._make(shape, name, str(uuid.uuid4()))

    def _make(self, shape: str, name: str, run_id: str) -> Json:
        made = copy.deepcopy(self._shapes[shape])
        made["metadata"] |= {"name": name, "uid": str(uuid.uuid4())}
        made["spec"]["executionId"] = name
        made["status"] |= {"workflowId": name, "runId": run_id, "firstRunId": run_id}
        return made

    async def _begin(self, workflow_id: str) -> str:
        """Start a workflow that no worker runs. Return its run ID."""
        handle = await self._client.start_workflow(
            "Bench", id=workflow_id, task_queue=TASK_QUEUE, execution_timeout=DAY
        )
        return str(handle.result_run_id)

    async def _seen(self, name: str, phase: str) -> Json:
        body = {
            "apiVersion": "control-plane.kubiya.ai/v1alpha1",
            "kind": "Execution",
            "metadata": {"name": name},
            "spec": {"executionId": name},
        }
        await self._kube.create(executions(EXECUTIONS_NAMESPACE), body)
        async with asyncio.timeout(OPERATOR_TIMEOUT_SECONDS):
            while True:
                stored = await self._servers.etcd.read(_key(name))
                if stored.get("status", {}).get("phase") == phase:
                    return stored
                await asyncio.sleep(0.1)


def _key(name: str) -> str:
    return f"{KEY}{EXECUTIONS_NAMESPACE}/{name}"


def _asked(execution: Json) -> Json:
    """Return the Execution with a termination request, as the API server would store it."""
    metadata: dict[str, Any] = {**execution["metadata"], "generation": execution["metadata"]["generation"] + 1}
    return {**execution, "metadata": metadata, "spec": {**execution["spec"], "terminate": {"reason": "bench"}}}
