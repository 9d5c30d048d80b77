"""The operator as users run it: in its own process, with the token of its own ServiceAccount."""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.controlplane import ControlPlane
from tests.support.process import GuardedFolder, GuardedProcess, tail
from tests.support.server import Server
from tests.support.waiting import wait_for

NAMESPACE, ACCOUNT = "execution-operator", "execution-operator"
READY = "starting to reconcile Executions"


class Operator(Server):
    """`execution-operator run` against a control plane and a Temporal address.

    Args:
        control_plane: The API server.
        temporal_address: host:port of Temporal.
        arguments: The command line.
        ready: The log line that shows that the operator is ready.
        environment: Additional environment variables.
    """

    namespace, account = NAMESPACE, ACCOUNT

    def __init__(
        self,
        control_plane: ControlPlane,
        temporal_address: str,
        arguments: Sequence[str] = ("run",),
        ready: str = READY,
        **environment: str,
    ) -> None:
        self.arguments, self._ready = arguments, ready
        self._control_plane = control_plane
        self._environment = {"TEMPORAL_ADDRESS": temporal_address, **environment}
        self._folder: GuardedFolder | None = None
        self.process: GuardedProcess | None = None

    def start(self) -> None:
        """Start the operator. Return once it processes requests."""
        self._folder = self._folder or GuardedFolder("execution-operator-process-")
        self.log = self._folder.path / "operator.log"
        offset = self.log.stat().st_size if self.log.exists() else 0
        kubeconfig = self._control_plane.kubeconfig_for_service_account(self.namespace, self.account)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "KUBE"))}
        self.process = GuardedProcess(
            [Path(sys.executable).parent / "execution-operator", *self.arguments],
            self._folder,
            self.log,
            env={
                **environment,
                "KUBECONFIG": str(kubeconfig),
                "OPERATOR_NAMESPACE": self.namespace,
                **self._environment,
            },
        )
        wait_for(lambda: self._says(self._ready, offset), f"the operator to say {self._ready!r}", seconds=30)

    def stop(self) -> None:
        """Stop the operator, and remove its log."""
        self.end()
        if self._folder:
            self._folder.remove()
            self._folder = None

    def end(self) -> None:
        """Send SIGTERM, and wait for the end. The log stays."""
        if self.process:
            self.process.signal(signal.SIGTERM)
            wait_for(lambda: self.process is None or self.process.poll() is not None, "the operator to end", seconds=15)
            self.process.kill()
            self.process = None

    def kill(self) -> None:
        """Kill the operator with SIGKILL."""
        if self.process:
            self.process.kill()
            self.process = None

    def _says(self, words: str, offset: int) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the operator ended with code {self.process.poll()}:\n{tail(self.log)}")
        return words in self.log.read_bytes()[offset:].decode()
