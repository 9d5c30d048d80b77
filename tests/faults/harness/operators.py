"""Operators that tests can kill at any moment and start again within milliseconds."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

from tests.support.process import GuardedFolder, GuardedProcess, tail
from tests.support.server import Server
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[3]
READY = b"starting to reconcile Executions"


class ForkServer(Server):
    """The process that forks the operators.

    Args:
        package: A folder to put first on the import path, such as another build. None for the program of this checkout.
    """

    def __init__(self, package: Path | None = None) -> None:
        self._folder: GuardedFolder | None = None
        path = os.pathsep.join(filter(None, [str(package or ""), os.environ.get("PYTHONPATH", "")]))
        self._environment = {**os.environ, **({"PYTHONPATH": path} if path else {})}

    def start(self) -> None:
        """Start the process. Return once it has imported the program."""
        self._folder = GuardedFolder("execution-operator-fork-server-")
        self.folder = self._folder.path
        self._socket = self.folder / "fork-server"
        command = [sys.executable, "-m", "tests.faults.harness.fork_server", str(self._socket)]
        self._process = GuardedProcess(
            command, self._folder, self.folder / "fork-server.log", cwd=CHECKOUT, env=self._environment
        )
        wait_for(self._listens, "the fork server to listen")

    def stop(self) -> None:
        """Kill the process and remove the logs of all its operators."""
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
            raise RuntimeError(f"the fork server ended:\n{tail(self.folder / 'fork-server.log')}")
        try:
            self.connect().close()
        except OSError:
            return False
        return True


class ForkedOperator(Server):
    """One operator that the fork server starts. `environment` has the addresses of its servers."""

    def __init__(self, fork_server: ForkServer, name: str, environment: dict[str, str]) -> None:
        self._fork_server = fork_server
        self._name = name
        self._environment = environment
        self.pid = 0

    @property
    def log(self) -> Path:
        """The operator's log file."""
        return self._fork_server.folder / f"{self._name}.log"

    def start(self) -> None:
        """Start the operator. Return once it processes requests."""
        self.launch()
        self.ready()

    def launch(self) -> None:
        """Start the operator without waiting for it."""
        self._offset = self.log.stat().st_size if self.log.exists() else 0
        self._connection = self._fork_server.connect()
        self._lines = self._connection.makefile("rw")
        order = {"arguments": ["run"], "environment": self._environment, "log": str(self.log)}
        print(json.dumps(order), file=self._lines, flush=True)
        self.pid = int(self._lines.readline())

    def ready(self, seconds: float = 30) -> None:
        """Wait until the operator processes requests."""
        wait_for(self._is_ready, "the operator to take up requests", seconds, interval=0.01)

    def stop(self) -> None:
        """Kill the operator. Its log file stays."""
        self.kill()

    def kill(self) -> None:
        """Kill the operator with SIGKILL."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.ended()

    def terminate(self) -> None:
        """Send SIGTERM to the operator."""
        os.kill(self.pid, signal.SIGTERM)

    def ended(self) -> int:
        """Wait until the operator has ended. Return its exit code."""
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
