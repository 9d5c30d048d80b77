"""A cheap watch that notes when Executions become cancelled."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Self

from tests.bench.kube import Kube, executions
from tests.bench.servers import EXECUTIONS_NAMESPACE


class Watcher:
    """Notes the time at which each Execution is first seen cancelled."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._seen: dict[str, float] = {}
        self._waiting: dict[str, asyncio.Future[float]] = {}

    async def __aenter__(self) -> Self:
        version = (await self._kube.get(executions(EXECUTIONS_NAMESPACE), limit="1"))["metadata"]["resourceVersion"]
        self._task = asyncio.create_task(self._run(version))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def cancelled(self, name: str, seconds: float = 60) -> float:
        """Wait until the Execution is cancelled. Return the time at which the watch saw it."""
        if name not in self._seen:
            self._waiting[name] = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(seconds):
                return await self._waiting[name]
        return self._seen[name]

    async def all(self, names: list[str], seconds: float) -> dict[str, float]:
        """Wait until all are cancelled or the time is up. Return the time of each cancelled Execution."""
        deadline = time.perf_counter() + seconds
        done: dict[str, float] = {}
        while len(done) < len(names) and time.perf_counter() < deadline and not self._task.done():
            await asyncio.sleep(0.05)
            done = {name: self._seen[name] for name in names if name in self._seen}
        return done

    async def _run(self, version: str) -> None:
        """Watch, and restart the watch when it ends: the API server ends watches of slow readers."""
        while True:
            query = {"fieldSelector": "status.phase=cancelled", "resourceVersion": version}
            async for line in self._kube.lines(executions(EXECUTIONS_NAMESPACE), metadata_only=True, **query):
                now, event = time.perf_counter(), json.loads(line)
                if event["type"] == "ERROR":
                    raise RuntimeError(f"the watcher's watch broke: {event['object']}")
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] == "ADDED":
                    self._note(event["object"]["metadata"]["name"], now)

    def _note(self, name: str, now: float) -> None:
        self._seen.setdefault(name, now)
        if name in self._waiting and not self._waiting[name].done():
            self._waiting[name].set_result(now)
