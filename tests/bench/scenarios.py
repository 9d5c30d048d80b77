"""What is measured: a scenario for each figure."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial

from tests.bench.arena import Arena, Turn
from tests.bench.counts import Spent, settled
from tests.bench.crowd import Filling
from tests.bench.peers import PEERS, Peer
from tests.bench.stage import TEMPORAL_NAMESPACE
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

Measure = Callable[[Arena, Peer, Results], Awaitable[None]]


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


async def one_at_a_time(arena: Arena, peer: Peer, results: Results, *, count: int) -> None:
    """Time terminations one after the other, and count the calls that they cost."""
    async with arena.turn(peer) as turn:
        names = await arena.crowd.open(count)
        await settled(turn.pid)
        await arena.calls.take()
        for name in names:
            results.add("alone", peer.name, await turn.end(name))
            await asyncio.sleep(PAUSE)
        await settled(turn.pid)
        for kind, calls in (await arena.calls.take()).items():
            results.add(f"calls/{kind}", peer.name, calls / count)


async def steadily(arena: Arena, peer: Peer, results: Results, *, rate: int, seconds: int) -> None:
    """Time terminations that come at a rate, whether or not the last one is done."""
    async with arena.turn(peer) as turn:
        names = await arena.crowd.open(rate * seconds)
        await settled(turn.pid)
        start = time.perf_counter()
        results.add(
            "load", peer.name, *await asyncio.gather(*(_at(start, i / rate, turn, n) for i, n in enumerate(names)))
        )


async def _at(start: float, after: float, turn: Turn, name: str) -> float:
    await asyncio.sleep(start + after - time.perf_counter())
    return await turn.end(name)


async def at_once(arena: Arena, peer: Peer, results: Results, *, size: int) -> None:
    """Time a crowd that is to be terminated at once."""
    names = await arena.crowd.open(size)
    async with arena.turn(peer) as turn:
        before = await settled(turn.pid)
        await arena.calls.take()
        start = time.perf_counter()
        await arena.crowd.ask(names)
        done = await turn.watcher.all(names, BULK)
        await settled(turn.pid, 5)
        after, count = Spent.by(turn.pid), len(done)
        results.add(f"bulk/{size}/done", peer.name, count)
        if count:
            results.add(f"bulk/{size}/rate", peer.name, count / (max(done.values()) - start))
            results.add(f"bulk/{size}/cpu", peer.name, (after.cpu - before.cpu) / count)
            results.add(f"bulk/{size}/calls", peer.name, (await arena.calls.take()).total() / count)
            results.add(f"bulk/{size}/peak", peer.name, after.peak)


async def batch(arena: Arena, _: Peer, results: Results, *, size: int) -> None:
    """Time Temporal's own batch, which ends workflows and records nothing."""
    await arena.crowd.open(size)
    options = ("--namespace", TEMPORAL_NAMESPACE, "--reason", "bench", "--yes")
    start = time.perf_counter()
    await asyncio.to_thread(arena.temporal, "workflow", "terminate", "--query", RUNNING, *options)
    left, took = size, 0.0
    while left and took < BULK:
        await asyncio.sleep(0.1)
        left, took = (await arena.client.count_workflows(RUNNING)).count, time.perf_counter() - start
    results.add(f"bulk/{size}/done", BATCH, size - left)
    results.add(f"bulk/{size}/rate", BATCH, (size - left) / took)
    await arena.crowd.clear()


async def growth(arena: Arena, peer: Peer, results: Results, *, filling: Filling, idle: float) -> None:
    """Start a peer among many Executions that need nothing: the first answer, what it costs, and what rest costs."""
    await arena.crowd.fill(filling)
    await arena.calls.take()
    arena.calls.touched = False
    figure = f"growth/{filling.finished:.0%} finished/{filling.size}"
    try:
        async with arena.turn(peer) as turn:
            note = partial(_note, results, figure, peer.name)
            await _rest(arena, turn, note, idle)
    finally:  # what a peer has written to Executions that need nothing is not left to the next one
        await arena.calls.take()
        if arena.calls.touched:
            await arena.crowd.drain()


def _note(results: Results, figure: str, peer: str, name: str, value: float) -> None:
    results.add(f"{figure}/{name}", peer, value)


async def _rest(arena: Arena, turn: Turn, note: Callable[[str, float], None], idle: float) -> None:
    """Note what a peer has cost once it is at rest, and what its rest costs."""
    spent = await settled(turn.pid, AT_REST, looks=LONG_REST)
    note("first", turn.first)
    note("memory", spent.memory)
    note("peak", spent.peak)
    note("cpu", spent.cpu)
    await arena.calls.take()
    note("writes", arena.calls.needless)
    if idle:
        await asyncio.sleep(idle)
        note("idle", (Spent.by(turn.pid).cpu - spent.cpu) / idle)
        note("requests", (await arena.calls.take()).total() * 60 / idle)


async def elsewhere(arena: Arena, peer: Peer, results: Results, *, size: int) -> None:
    """Let workflows be terminated by others: how long after that it shows, and after a start if nobody looked."""
    async with arena.turn(peer) as turn:
        names = await arena.crowd.open(size)
        await settled(turn.pid)
        looking = asyncio.create_task(arena.crowd.shown(names, PATIENCE))
        ended = await arena.crowd.end(names)
        seen = await turn.watcher.all(names, PATIENCE)
        shown = await looking
        results.add("feed/closed", peer.name, *(moment - ended[name] for name, moment in seen.items()))
        results.add("feed/lag", peer.name, *(moment - shown[name] for name, moment in seen.items() if name in shown))
    missed = size - len(seen)
    names = await arena.crowd.open(size)
    await arena.crowd.end(names)
    async with arena.turn(peer) as turn:
        seen = await turn.watcher.all(names, PATIENCE)
        results.add("feed/restart", peer.name, *(moment - turn.started for moment in seen.values()))
    results.add("feed/missed", peer.name, missed + size - len(seen))


async def failover(arena: Arena, peer: Peer, results: Results, *, filling: Filling, lease: int) -> None:
    """Kill a leader while another stands by: how much longer than the lease the next answer takes."""
    led = replace(peer, command=lambda: [*peer.command(), "--leader-elect", f"--lease-duration={lease}"])
    await arena.crowd.fill(filling)
    async with arena.turn(led) as turn:
        standby = arena.launch(led)
        try:
            await asyncio.sleep(START)
            await settled(standby.pid)
            name = (await arena.crowd.open(1))[0]
            turn.process.kill()
            took = await turn.end(name)
        finally:
            await asyncio.to_thread(standby.stop)
    results.add("failover/took", peer.name, took)
    results.add("failover/beyond", peer.name, took - lease)
    await arena.crowd.drain()
