"""Which scenarios are measured, and at what sizes: a quick plan and the full one."""

from dataclasses import dataclass
from functools import partial

from tests.bench.execution_factory import IdleExecutions
from tests.bench.peers import FLOOR, GO, LEAN, NAIVE, OURS
from tests.bench.scenarios import Scenario, at_once, batch, elsewhere, failover, growth, one_at_a_time, steadily

MIXES = (0.0, 0.95)
"""The shares of finished Executions in the crowds among which peers are started."""

TIMED = (FLOOR, LEAN, NAIVE, GO, OURS)


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: Turns of each peer, one at a time.
        count: Terminations in such a turn.
        seconds: Seconds of a turn at 20 a second.
        bulk: Crowds that are terminated at once, the smallest of them also by Temporal's batch.
        repetitions: Turns of each peer at them, but of the naive one, which takes too long.
        crowds: Crowds among which a peer is started; among the largest it is left alone for a while.
        idle: Seconds of that while.
        closings: Workflows that are terminated by others.
        open: Open Executions at a failover.
        lease: Seconds of the lease.
    """

    rounds: int
    count: int
    seconds: int
    bulk: tuple[int, ...]
    repetitions: int
    crowds: tuple[int, ...]
    idle: float
    closings: int
    open: int
    lease: int


QUICK = Sizes(
    rounds=1,
    count=30,
    seconds=3,
    bulk=(300,),
    repetitions=1,
    crowds=(1_000, 5_000),
    idle=5,
    closings=200,
    open=1_000,
    lease=5,
)
FULL = Sizes(
    rounds=4,
    count=30,
    seconds=15,
    bulk=(1_000, 10_000),
    repetitions=2,
    crowds=(1_000, 10_000, 100_000),
    idle=60,
    closings=1_000,
    open=10_000,
    lease=15,
)


def plan(sizes: Sizes) -> list[Scenario]:
    """Return the scenarios."""
    latency = Scenario("one at a time", partial(one_at_a_time, count=sizes.count), sizes.rounds, TIMED)
    load = Scenario("20 a second", partial(steadily, rate=20, seconds=sizes.seconds))
    feed = Scenario("closings elsewhere", partial(elsewhere, size=sizes.closings), peers=(OURS,), fresh=True)
    standby = partial(failover, filling=IdleExecutions(sizes.open, 0), lease=sizes.lease)
    return [latency, load, *_bulks(sizes), feed, Scenario("failover", standby, peers=(OURS,)), *_crowds(sizes)]


def _bulks(sizes: Sizes) -> list[Scenario]:
    least = min(sizes.bulk)
    bulks = [
        Scenario(f"{size:,} at once", partial(at_once, size=size), rounds, peers, fresh=True)
        for size in sizes.bulk
        for rounds, peers in ((sizes.repetitions, (FLOOR, GO, OURS)), (1, (NAIVE,)))
    ]
    theirs = Scenario(
        f"{least:,} by Temporal's batch", partial(batch, size=least), sizes.repetitions, (FLOOR,), fresh=True
    )
    return [*bulks, theirs]


def _crowds(sizes: Sizes) -> list[Scenario]:
    scenarios = []
    for size in sizes.crowds:
        for finished in MIXES:
            idle = sizes.idle if size == max(sizes.crowds) and finished else 0
            measure = partial(growth, filling=IdleExecutions(size, finished), idle=idle)
            scenarios.append(Scenario(f"among {size:,}, {finished:.0%} finished", measure))
    return scenarios
