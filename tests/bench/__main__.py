"""`make bench [QUICK=1]`: all peers side by side on the same servers; writes docs/benchmarks.md and its plot."""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.kube import Kube
from tests.bench.peers import Peer
from tests.bench.plan import FULL, QUICK, plan
from tests.bench.report import write
from tests.bench.scenarios import Scenario
from tests.bench.servers import BenchServers
from tests.bench.session import Session
from tests.bench.stats import Results

DOCS = Path(__file__).parents[2] / "docs"


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Turn:
    """One measurement of one peer."""

    scenario: Scenario
    number: int
    peer: Peer


def turns_by_servers(scenarios: list[Scenario], names: list[str] | None = None) -> Iterator[list[Turn]]:
    """Yield the turns in groups that share servers. `names` limits the peers.

    The order of the peers rotates (A B C D, then B C D A), so that other load on the machine affects all of them.
    """
    shared: list[Turn] = []
    for scenario in scenarios:
        peers = tuple(peer for peer in scenario.peers if names is None or peer.name in names)
        for number in range(scenario.rounds if peers else 0):
            turns = [Turn(scenario, number, peer) for peer in _rotated(peers, number)]
            if scenario.fresh:
                yield from ([turn] for turn in turns)
            else:
                shared += turns
    if shared:
        yield shared


def _rotated(peers: tuple[Peer, ...], number: int) -> tuple[Peer, ...]:
    """Start each round with another peer."""
    first = number % len(peers)
    return peers[first:] + peers[:first]


async def run(servers: BenchServers, turns: list[Turn], results: Results) -> None:
    """Run the turns on the same servers."""
    client = await servers.client()
    async with Kube(servers.control_plane.admin_kubeconfig) as kube:
        session = Session(servers, kube, client)
        await session.factory.record_shapes()
        for turn in turns:
            await _run_turn(session, turn, results)


async def _run_turn(session: Session, turn: Turn, results: Results) -> None:
    start, outcome, scenario, name = time.monotonic(), "", turn.scenario, turn.peer.name
    try:
        await scenario.measure(session, turn.peer, results)
    except TimeoutError:
        outcome = ": gave no answer in time"
        results.add("failures", name, 1)
    took = time.monotonic() - start
    say(f"{scenario.title}, round {turn.number + 1} of {scenario.rounds}: {name}, {took:.1f} s{outcome}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: about two minutes")
    parser.add_argument("--bulk", type=int, nargs="+", metavar="N", help="numbers of simultaneous terminations")
    parser.add_argument("--crowds", type=int, nargs="+", metavar="N", help="numbers of idle Executions at a start")
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
        for number, turns in enumerate(turns_by_servers(scenarios, arguments.peers)):
            say(f"new servers, number {number}")
            with BenchServers() as servers:
                try:
                    asyncio.run(run(servers, turns, results))
                finally:
                    if arguments.logs:
                        shutil.copytree(servers.folder.path, arguments.logs / str(number), dirs_exist_ok=True)
    finally:  # the report has all results up to an error
        print(write(results, arguments.docs, seconds=time.monotonic() - start))


if __name__ == "__main__":
    main()
