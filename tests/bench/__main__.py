"""`make bench [QUICK=1]`: all peers side by side on the same servers; writes docs/benchmarks.md and its plot."""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.arena import Arena
from tests.bench.kube import Kube
from tests.bench.peers import Peer
from tests.bench.plan import FULL, QUICK, plan
from tests.bench.report import write
from tests.bench.scenarios import Scenario
from tests.bench.stage import Stage
from tests.bench.stats import Results

DOCS = Path(__file__).parents[2] / "docs"


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Take:
    """A peer's turn at a scenario."""

    scenario: Scenario
    number: int
    peer: Peer


def takes(scenarios: list[Scenario], names: list[str] | None = None) -> Iterator[list[Take]]:
    """Yield the turns, those together that share servers; of these peers only, if some are named.

    Peers take turns (A B C D, then B C D A), so that what else the machine does meets all of them.
    """
    shared: list[Take] = []
    for scenario in scenarios:
        peers = tuple(peer for peer in scenario.peers if names is None or peer.name in names)
        for number in range(scenario.rounds if peers else 0):
            turns = [Take(scenario, number, peer) for peer in _rotated(peers, number)]
            if scenario.fresh:
                yield from ([turn] for turn in turns)
            else:
                shared += turns
    if shared:
        yield shared


def _rotated(peers: tuple[Peer, ...], number: int) -> tuple[Peer, ...]:
    """Let another one begin in each round."""
    first = number % len(peers)
    return peers[first:] + peers[:first]


async def run(stage: Stage, turns: list[Take], results: Results) -> None:
    """Let peers take their turns at the same servers."""
    client = await stage.client()
    async with Kube(stage.control_plane.admin_kubeconfig) as kube:
        arena = Arena(stage, kube, client)
        await arena.crowd.learn()
        for turn in turns:
            await _take(arena, turn, results)


async def _take(arena: Arena, turn: Take, results: Results) -> None:
    start, outcome, scenario, name = time.monotonic(), "", turn.scenario, turn.peer.name
    try:
        await scenario.measure(arena, turn.peer, results)
    except TimeoutError:
        outcome = ": gave no answer in time"
        results.add("failures", name, 1)
    took = time.monotonic() - start
    say(f"{scenario.title}, round {turn.number + 1} of {scenario.rounds}: {name}, {took:.1f} s{outcome}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: about two minutes")
    parser.add_argument("--bulk", type=int, nargs="+", metavar="N", help="crowds that are terminated at once")
    parser.add_argument("--crowds", type=int, nargs="+", metavar="N", help="crowds among which a peer is started")
    parser.add_argument("--only", default="", metavar="WORDS", help="the scenarios whose titles contain this")
    parser.add_argument("--peers", nargs="+", metavar="NAME", help="these peers only")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="FOLDER", help="where the report goes")
    parser.add_argument("--logs", type=Path, metavar="FOLDER", help="where the logs of peers and calls are kept")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    sizes = replace(sizes, bulk=tuple(arguments.bulk or sizes.bulk), crowds=tuple(arguments.crowds or sizes.crowds))
    results, start = Results(), time.monotonic()
    scenarios = [scenario for scenario in plan(sizes) if arguments.only in scenario.title]
    try:
        for number, turns in enumerate(takes(scenarios, arguments.peers)):
            say(f"new servers, number {number}")
            with Stage() as stage:
                try:
                    asyncio.run(run(stage, turns, results))
                finally:
                    if arguments.logs:
                        shutil.copytree(stage.folder.path, arguments.logs / str(number), dirs_exist_ok=True)
    finally:  # what was measured is told, whatever has ended the rest
        print(write(results, arguments.docs, seconds=time.monotonic() - start))


if __name__ == "__main__":
    main()
