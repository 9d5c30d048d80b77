"""The peers that are compared. Each is a process that processes requests, and all are started and stopped alike."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench.gopeer import go_peer
from tests.bench.servers import BenchServers
from tests.support.process import GuardedProcess

BIN, HERE = Path(sys.executable).parent, Path(__file__).parent
Command = list[str | Path]


@dataclass(frozen=True)
class Peer:
    """A way to do the job.

    Attributes:
        name: What the tables call it.
        command: Gives the command line; may take its time, as it is asked once before anything is measured.
    """

    name: str
    command: Callable[[], Command]
    about: str

    def start(self, servers: BenchServers) -> GuardedProcess:
        """Start it against the servers. It may need a while until it answers."""
        log = servers.folder.path / f"{self.name.replace(' ', '-')}.log"
        return GuardedProcess(self.command(), servers.folder, log, cwd=HERE.parents[2], env=servers.environment)


FLOOR = Peer(
    "floor",
    lambda: [sys.executable, "-m", "tests.bench.peers.floor"],
    "a bare asyncio script that makes the same calls and decides nothing",
)
LEAN = Peer(
    "lean floor",
    lambda: [sys.executable, "-m", "tests.bench.peers.floor", "--lean"],
    "the same without the call for child workflows: terminate, observe, one PATCH, one Event",
)
NAIVE = Peer(
    "naive",
    lambda: [BIN / "kopf", "run", "--all-namespaces", HERE / "naive.py"],
    "twenty lines of kopf with its defaults: no authorization, no pin, no observation, no Event, its own clock",
)
GO = Peer(
    "Go",
    lambda: [go_peer()],
    "controller-runtime, tuned: cached reads, no client-side rate limit, managedFields stripped, 25 workers",
)
OURS = Peer("ours", lambda: [BIN / "execution-operator", "run"], "this operator, started as deploy/ starts it")

PEERS = (FLOOR, NAIVE, GO, OURS)
