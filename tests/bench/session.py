"""Runs of one peer: it is started, warmed up, measured and stopped on the same servers as the other peers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client

from tests.bench.counts import Calls
from tests.bench.execution_factory import ExecutionFactory
from tests.bench.kube import Kube, executions
from tests.bench.peers import Peer
from tests.bench.servers import EXECUTIONS_NAMESPACE, BenchServers
from tests.bench.watcher import Watcher
from tests.support.process import GuardedProcess

WARM_UP_COUNT = 5
FIRST_ANSWER_TIMEOUT_SECONDS = 150.0
"""Time in which a peer must answer its first request."""

REQUEST = {"spec": {"terminate": {"reason": "bench"}}}


@dataclass
class PeerRun:
    """A running peer."""

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
        """Request a termination as users do. Return the seconds until the phase `cancelled` was seen."""
        start = time.perf_counter()
        await self.kube.merge(executions(EXECUTIONS_NAMESPACE, name), REQUEST)
        return await self.watcher.cancelled(name) - start


class Session:
    """The servers, clients and counters that the scenarios use."""

    def __init__(self, servers: BenchServers, kube: Kube, client: Client) -> None:
        self.kube, self.client = kube, client
        self.factory, self.calls = ExecutionFactory(servers, kube, client), Calls(servers)
        self.temporal = servers.temporal.cli
        self._servers = servers

    def launch(self, peer: Peer) -> GuardedProcess:
        """Start a peer. The caller must stop it."""
        return peer.start(self._servers)

    @asynccontextmanager
    async def peer_run(self, peer: Peer) -> AsyncIterator[PeerRun]:
        """Start a peer while one request is pending. At the end, stop it and remove its Executions."""
        names = await self.factory.open(WARM_UP_COUNT)
        async with Watcher(self.kube) as watcher:
            await self.kube.merge(executions(EXECUTIONS_NAMESPACE, names[0]), REQUEST)
            start = time.perf_counter()
            process = self.launch(peer)
            try:
                first = await watcher.cancelled(names[0], FIRST_ANSWER_TIMEOUT_SECONDS) - start
                peer_run = PeerRun(self.kube, watcher, process, start, first)
                for name in names[1:]:
                    await peer_run.end(name)
                yield peer_run
            finally:
                await asyncio.to_thread(process.stop)
                await self.factory.clear()
