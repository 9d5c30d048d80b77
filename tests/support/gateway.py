"""The gateway as users run it: a process of its own, under its own ServiceAccount's token."""

import os
import signal
import ssl
import sys
from pathlib import Path

import httpx

from tests.support.cluster import Cluster
from tests.support.controlplane import ControlPlane
from tests.support.installed import CHECKOUT
from tests.support.kube import KubeError
from tests.support.ports import free_port
from tests.support.process import GuardedFolder, GuardedProcess, tail
from tests.support.server import Server
from tests.support.waiting import wait_for

NAMESPACE, ACCOUNT = "execution-operator", "execution-operator-gateway"


class Gateway(Server):
    """`execution-operator gateway` against a control plane; it keeps its port when it is started again."""

    def __init__(
        self,
        control_plane: ControlPlane,
        *options: str,
        tls: tuple[Path, Path] | None = None,
        kubeconfig: Path | None = None,
        probe: str = "/readyz",
    ) -> None:
        self._control_plane = control_plane
        self._kubeconfig = kubeconfig
        self._options = options
        self._probe = probe
        self._tls = tls
        self._folder: GuardedFolder | None = None
        self.process: GuardedProcess | None = None
        self.port = free_port()
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the gateway, and wait until its probe succeeds. By default the probe waits for a complete index."""
        self._install()
        self._folder = self._folder or GuardedFolder("execution-operator-gateway-")
        self.log = self._folder.path / "gateway.log"
        kubeconfig = self._kubeconfig or self._control_plane.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("KUBE")}
        files = (f"--tls-cert-file={self._tls[0]}", f"--tls-key-file={self._tls[1]}") if self._tls else ()
        program = Path(sys.executable).parent / "execution-operator"
        self.process = GuardedProcess(
            [program, "gateway", f"--port={self.port}", *files, *self._options],
            self._folder,
            self.log,
            env={**environment, "KUBECONFIG": str(kubeconfig)},
        )
        wait_for(self._is_ready, "the gateway to be ready", seconds=30)

    def _install(self) -> None:
        """Apply deploy/kustomize/gateway, unless its ServiceAccount exists."""
        try:
            self._control_plane.kube.call("GET", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}")
        except KubeError:
            self._control_plane.kubectl("apply", "-k", CHECKOUT / "deploy" / "kustomize" / "gateway")

    def stop(self) -> None:
        """Stop the gateway with SIGTERM, and remove its log."""
        if self.process:
            self.process.signal(signal.SIGTERM)
            wait_for(lambda: self.process is None or self.process.poll() is not None, "the gateway to end", seconds=15)
            self.process.kill()
            self.process = None
        if self._folder:
            self._folder.remove()
            self._folder = None

    def kill(self) -> None:
        """Kill the gateway, as a crash would."""
        if self.process:
            self.process.kill()
            self.process = None

    def client(self, token: str | None, **options: object) -> httpx.AsyncClient:
        """Return a client that sends the token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=None)
        return httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            timeout=60,
            limits=limits,
            verify=self._trust(),
            trust_env=False,
            **options,  # type: ignore[arg-type]
        )

    def _trust(self) -> ssl.SSLContext | bool:
        return ssl.create_default_context(cafile=self._control_plane.folder / "ca.crt") if self._tls else False

    def _is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise RuntimeError(f"the gateway ended with code {self.process.poll()}:\n{tail(self.log)}")
        try:
            answer = httpx.get(f"{self.url}{self._probe}", verify=self._trust(), trust_env=False)
        except httpx.TransportError:
            return False
        return answer.status_code == httpx.codes.OK


class Account:
    """A ServiceAccount with roles in namespaces, and its token."""

    def __init__(self, control_plane: Cluster, namespace: str, name: str) -> None:
        self._control_plane = control_plane
        self._user = f"system:serviceaccount:{namespace}:{name}"
        control_plane.kubectl("create", "serviceaccount", name, "--namespace", namespace)
        self.token = control_plane.kubectl(
            "create", "token", name, "--namespace", namespace, "--duration=24h"
        ).stdout.strip()

    def bind(self, namespace: str, *roles: str) -> "Account":
        """Bind ClusterRoles to the account in a namespace."""
        for role in roles:
            name = f"{self._user.replace(':', '-')}-{role}"
            binding = ("create", "rolebinding", name, f"--clusterrole={role}", f"--user={self._user}")
            self._control_plane.kubectl(*binding, "--namespace", namespace)
        return self
