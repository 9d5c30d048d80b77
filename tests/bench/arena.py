"""One peer's turn: started against the same servers as the others, warmed up, measured, stopped, forgotten."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from tests.bench.counts import Calls
from tests.bench.crowd import Crowd
from tests.bench.kube import Kube, executions
from tests.bench.peers import Peer
from tests.bench.stage import CROWD, Stage
from tests.bench.watcher import Watcher
from tests.support.process import GuardedProcess

WARM_UP = 5
FIRST = 150.0
"""Seconds that a peer may take until it has answered its first request."""

REQUEST = {"spec": {"terminate": {"reason": "bench"}}}


@dataclass
class Turn:
    """A peer at work."""

    kube: Kube
    watcher: Watcher
    process: GuardedProcess
    started: float
    first: float
    """Seconds from its start to its first answer, to a request that was there before."""

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    async def end(self, name: str) -> float:
        """Ask for a termination as users do; return the seconds until `cancelled` was seen."""
        start = time.perf_counter()
        await self.kube.merge(executions(CROWD, name), REQUEST)
        return await self.watcher.cancelled(name) - start


class Arena:
    """What the scenarios work with."""

    def __init__(self, stage: Stage, kube: Kube, client: Client) -> None:
        self.kube, self.client = kube, client
        self.crowd, self.calls = Crowd(stage, kube, client), Calls(stage)
        self.temporal = stage.temporal.cli
        self._stage = stage

    def launch(self, peer: Peer) -> GuardedProcess:
        """Start a peer, and be the one who stops it."""
        return peer.start(self._stage)

    @asynccontextmanager
    async def turn(self, peer: Peer) -> AsyncIterator[Turn]:
        """Start a peer while a request waits already; what it has left behind is removed in the end."""
        names = await self.crowd.open(WARM_UP)
        async with Watcher(self.kube) as watcher:
            await self.kube.merge(executions(CROWD, names[0]), REQUEST)
            start = time.perf_counter()
            process = self.launch(peer)
            try:
                first = await watcher.cancelled(names[0], FIRST) - start
                turn = Turn(self.kube, watcher, process, start, first)
                for name in names[1:]:
                    await turn.end(name)
                yield turn
            finally:
                await asyncio.to_thread(process.stop)
                await self.crowd.clear()
