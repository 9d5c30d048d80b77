"""A Service of the cluster on a port of this machine, by `kubectl port-forward`."""

from pathlib import Path

from tests.support.cluster import KUBECTL, Cluster
from tests.support.ports import free_port
from tests.support.process import GuardedFolder, GuardedProcess
from tests.support.server import Server, wait_until_ready


class Forward(Server):
    """One connection to one pod of the Service; it ends with the pod."""

    def __init__(self, cluster: Cluster, namespace: str, service: str, port: int) -> None:
        self._cluster = cluster
        self._target = (f"--namespace={namespace}", f"service/{service}")
        self._ports = (free_port(), port)
        self._folder: GuardedFolder | None = None
        self._process: GuardedProcess | None = None

    @property
    def address(self) -> str:
        """Host and port on this machine."""
        return f"127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        """Return once it listens."""
        self._folder = GuardedFolder("execution-operator-forward-")
        log = self._folder.path / "forward.log"
        command: list[str | Path] = [KUBECTL, "port-forward", *self._target, "{}:{}".format(*self._ports)]
        self._process = GuardedProcess(command, self._folder, log, env=self._cluster.environment())
        # It tells on its standard output, which the guard sends to the log.
        wait_until_ready("kubectl port-forward", self._process, lambda: "Forwarding from" in log.read_text())

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.stop()
            self._process = None
        if self._folder:
            self._folder.remove()
            self._folder = None
