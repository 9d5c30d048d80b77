"""The measurements: a scenario for each figure."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from tests.bench.counts import Spent, settled
from tests.bench.execution_factory import IdleExecutions
from tests.bench.peers import PEERS, Peer
from tests.bench.servers import TEMPORAL_NAMESPACE
from tests.bench.session import PeerRun, Session
from tests.bench.stats import Results

PAUSE = 0.02
"""Seconds between two requests one at a time: what follows an answer, such as an Event, is done by then."""

BULK = 200.0
"""Seconds after which a crowd that is not yet terminated is given up; the rate is then of those that are."""

PATIENCE = 60.0
"""Seconds after which a closing counts as missed."""

START = 3.0
"""Seconds after which a process has begun to do something, so that its rest means that it has started."""

AT_REST, LONG_REST = 150.0, 8
"""Seconds after which a process is taken to be at rest among a crowd, and the looks that show it to be so before: the
finished Executions trickle in after all others.
"""

BATCH = "Temporal's batch"
RUNNING = "WorkflowType = 'Crowd' AND ExecutionStatus = 'Running'"

Measure = Callable[[Session, Peer, Results], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One measurement, which every peer takes in turn, as many rounds as it says.

    Attributes:
        fresh: Whether each turn gets servers of its own, since it leaves too much behind for the next one.
    """

    title: str
    measure: Measure
    rounds: int = 1
    peers: tuple[Peer, ...] = PEERS
    fresh: bool = False


async def one_at_a_time(session: Session, peer: Peer, results: Results, *, count: int) -> None:
    """Time terminations one after the other, and count the calls that they cost."""
    async with session.peer_run(peer) as peer_run:
        names = await session.factory.open(count)
        await settled(peer_run.pid)
        await session.calls.take()
        for name in names:
            results.add("alone", peer.name, await peer_run.end(name))
            await asyncio.sleep(PAUSE)
        await settled(peer_run.pid)
        for kind, calls in (await session.calls.take()).items():
            results.add(f"calls/{kind}", peer.name, calls / count)


async def steadily(session: Session, peer: Peer, results: Results, *, rate: int, seconds: int) -> None:
    """Time terminations that come at a rate, whether or not the last one is done."""
    async with session.peer_run(peer) as peer_run:
        names = await session.factory.open(rate * seconds)
        await settled(peer_run.pid)
        start = time.perf_counter()
        results.add(
            "load", peer.name, *await asyncio.gather(*(_at(start, i / rate, peer_run, n) for i, n in enumerate(names)))
        )


async def _at(start: float, after: float, peer_run: PeerRun, name: str) -> float:
    await asyncio.sleep(start + after - time.perf_counter())
    return await peer_run.end(name)


async def at_once(session: Session, peer: Peer, results: Results, *, size: int) -> None:
    """Time a crowd that is to be terminated at once."""
    names = await session.factory.open(size)
    async with session.peer_run(peer) as peer_run:
        before = await settled(peer_run.pid)
        await session.calls.take()
        start = time.perf_counter()
        await session.factory.request_termination(names)
        done = await peer_run.watcher.all(names, BULK)
        await settled(peer_run.pid, 5)
        after, count = Spent.by(peer_run.pid), len(done)
        results.add(f"bulk/{size}/done", peer.name, count)
        if count:
            results.add(f"bulk/{size}/rate", peer.name, count / (max(done.values()) - start))
            results.add(f"bulk/{size}/cpu", peer.name, (after.cpu - before.cpu) / count)
            results.add(f"bulk/{size}/calls", peer.name, (await session.calls.take()).total() / count)
            results.add(f"bulk/{size}/peak", peer.name, after.peak)


async def batch(session: Session, _: Peer, results: Results, *, size: int) -> None:
    """Time Temporal's own batch, which ends workflows and records nothing."""
    await session.factory.open(size)
    options = ("--namespace", TEMPORAL_NAMESPACE, "--reason", "bench", "--yes")
    start = time.perf_counter()
    await asyncio.to_thread(session.temporal, "workflow", "terminate", "--query", RUNNING, *options)
    left, took = size, 0.0
    while left and took < BULK:
        await asyncio.sleep(0.1)
        left, took = (await session.client.count_workflows(RUNNING)).count, time.perf_counter() - start
    results.add(f"bulk/{size}/done", BATCH, size - left)
    results.add(f"bulk/{size}/rate", BATCH, (size - left) / took)
    await session.factory.clear()


async def growth(session: Session, peer: Peer, results: Results, *, filling: IdleExecutions, idle: float) -> None:
    """Start a peer among many Executions that need nothing: the first answer, what it costs, and what rest costs."""
    await session.factory.create_idle(filling)
    await session.calls.take()
    session.calls.touched = False
    figure = f"growth/{filling.finished:.0%} finished/{filling.size}"
    try:
        async with session.peer_run(peer) as peer_run:
            note = partial(_note, results, figure, peer.name)
            await _rest(session, peer_run, note, idle)
    finally:  # what a peer has written to Executions that need nothing is not left to the next one
        await session.calls.take()
        if session.calls.touched:
            await session.factory.remove_idle()


def _note(results: Results, figure: str, peer: str, name: str, value: float) -> None:
    results.add(f"{figure}/{name}", peer, value)


async def _rest(session: Session, peer_run: PeerRun, note: Callable[[str, float], None], idle: float) -> None:
    """Note what a peer has cost once it is at rest, and what its rest costs."""
    spent = await settled(peer_run.pid, AT_REST, looks=LONG_REST)
    note("first", peer_run.first)
    note("memory", spent.memory)
    note("peak", spent.peak)
    note("cpu", spent.cpu)
    await session.calls.take()
    note("writes", session.calls.needless)
    if idle:
        await asyncio.sleep(idle)
        note("idle", (Spent.by(peer_run.pid).cpu - spent.cpu) / idle)
        note("requests", (await session.calls.take()).total() * 60 / idle)


async def elsewhere(session: Session, peer: Peer, results: Results, *, size: int) -> None:
    """Terminate workflows directly in Temporal. Measure when a peer shows that: while it runs, and after a start."""
    async with session.peer_run(peer) as peer_run:
        names = await session.factory.open(size)
        await settled(peer_run.pid)
        looking = asyncio.create_task(session.factory.wait_for_visibility(names, PATIENCE))
        ended = await session.factory.end(names)
        seen = await peer_run.watcher.all(names, PATIENCE)
        wait_for_visibility = await looking
        results.add("feed/closed", peer.name, *(moment - ended[name] for name, moment in seen.items()))
        results.add(
            "feed/lag",
            peer.name,
            *(moment - wait_for_visibility[name] for name, moment in seen.items() if name in wait_for_visibility),
        )
    missed = size - len(seen)
    names = await session.factory.open(size)
    await session.factory.end(names)
    async with session.peer_run(peer) as peer_run:
        seen = await peer_run.watcher.all(names, PATIENCE)
        results.add("feed/restart", peer.name, *(moment - peer_run.started for moment in seen.values()))
    results.add("feed/missed", peer.name, missed + size - len(seen))


async def failover(session: Session, peer: Peer, results: Results, *, filling: IdleExecutions, lease: int) -> None:
    """Kill a leader while another stands by: how much longer than the lease the next answer takes."""
    led = replace(peer, command=lambda: [*peer.command(), "--leader-elect", f"--lease-duration={lease}"])
    await session.factory.create_idle(filling)
    async with session.peer_run(led) as peer_run:
        standby = session.launch(led)
        try:
            await asyncio.sleep(START)
            await settled(standby.pid)
            name = (await session.factory.open(1))[0]
            peer_run.process.kill()
            took = await peer_run.end(name)
        finally:
            await asyncio.to_thread(standby.stop)
    results.add("failover/took", peer.name, took)
    results.add("failover/beyond", peer.name, took - lease)
    await session.factory.remove_idle()
