"""Operators that can be killed at any moment, and are there again at once."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

from tests.support.process import GuardedFolder, GuardedProcess, tail
from tests.support.server import Server
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[2]
READY = b"taking up requests"


class Forge(Server):
    """The process that operators are forked from.

    Args:
        package: The folder of another build of the program; None for this checkout's.
    """

    def __init__(self, package: Path | None = None) -> None:
        self._folder: GuardedFolder | None = None
        self._environment = {**os.environ, **({"PYTHONPATH": str(package)} if package else {})}

    def start(self) -> None:
        """Import the program; return once it can be forked."""
        self._folder = GuardedFolder("execution-operator-forge-")
        self.folder = self._folder.path
        self._socket = self.folder / "forge"
        command = [sys.executable, "-m", "tests.faults.forge", str(self._socket)]
        self._process = GuardedProcess(
            command, self._folder, self.folder / "forge.log", cwd=CHECKOUT, env=self._environment
        )
        wait_for(self._listens, "the forge to listen")

    def stop(self) -> None:
        """End all operators, and remove their logs."""
        if self._folder:
            self._process.kill()
            self._folder.remove()
            self._folder = None

    def connect(self) -> socket.socket:
        """Return a connection for one operator."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(self._socket))
        except OSError:
            connection.close()
            raise
        return connection

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"the forge ended:\n{tail(self.folder / 'forge.log')}")
        try:
            self.connect().close()
        except OSError:
            return False
        return True


class ForkedOperator(Server):
    """One operator of a forge. `environment` says where its servers are."""

    def __init__(self, forge: Forge, name: str, environment: dict[str, str]) -> None:
        self._forge = forge
        self._name = name
        self._environment = environment
        self.pid = 0

    @property
    def log(self) -> Path:
        """What it says."""
        return self._forge.folder / f"{self._name}.log"

    def start(self) -> None:
        """Start it; return once it takes up requests."""
        self.launch()
        self.ready()

    def launch(self) -> None:
        """Start it, and don't wait."""
        self._offset = self.log.stat().st_size if self.log.exists() else 0
        self._connection = self._forge.connect()
        self._lines = self._connection.makefile("rw")
        order = {"arguments": ["run"], "environment": self._environment, "log": str(self.log)}
        print(json.dumps(order), file=self._lines, flush=True)
        self.pid = int(self._lines.readline())

    def ready(self, seconds: float = 30) -> None:
        """Wait until it takes up requests."""
        wait_for(self._is_ready, "the operator to take up requests", seconds, interval=0.01)

    def stop(self) -> None:
        """End it as a crash does; its log stays."""
        self.kill()

    def kill(self) -> None:
        """End it as a crash does."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.ended()

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)

    def ended(self) -> int:
        """Wait for its end; return its exit code."""
        code = int(self._lines.readline())
        self._lines.close()
        self._connection.close()
        self.pid = 0
        return code

    def _is_ready(self) -> bool:
        said = self.log.read_bytes()[self._offset :] if self.log.exists() else b""
        if b"the operator ended" in said:
            raise RuntimeError(f"the operator ended:\n{tail(self.log)}")
        return READY in said
