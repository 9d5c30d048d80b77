"""A real Kubernetes API: etcd and kube-apiserver on the loopback interface, with RBAC on and no controllers."""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.binaries import server_binaries
from tests.support.certificates import Authority, generate_key
from tests.support.cluster import Cluster
from tests.support.kubeconfig import certificate_user, write_kubeconfig
from tests.support.ports import free_port
from tests.support.process import GuardedFolder, GuardedProcess
from tests.support.server import answers, wait_until_ready


class ControlPlane(Cluster):
    """etcd and kube-apiserver.

    `stop_apiserver` and `start_apiserver` restart the API server on the same port with the same data; `apiserver` and
    `etcd` are the processes, to be paused or killed. There is no controller-manager: namespaces get no default
    ServiceAccount, nothing is garbage-collected, a deleted namespace stays `Terminating`, and aggregated ClusterRoles
    (`view`, `edit`, `admin` too) stay empty.
    """

    def __init__(
        self, feature_gates: Mapping[str, bool] | None = None, apiserver_arguments: Sequence[str] = ()
    ) -> None:
        gates = [f"{name}={str(value).lower()}" for name, value in (feature_gates or {}).items()]
        self._extra = [*([f"--feature-gates={','.join(gates)}"] if gates else []), *apiserver_arguments]
        self.etcd: GuardedProcess | None = None
        self.apiserver: GuardedProcess | None = None
        self._folder: GuardedFolder | None = None

    def start(self) -> None:
        """Start both; return once the API server serves and has made its own roles and namespaces."""
        self._binaries = server_binaries()
        self._folder = GuardedFolder("execution-operator-kubernetes-")
        self._authority = Authority(self.folder)
        self._certificate = self._authority.issue_server("kube-apiserver")
        self._token_key = generate_key(self.folder / "tokens.key")
        self.etcd_url, self._port = f"http://127.0.0.1:{free_port()}", free_port()
        self.url = f"https://127.0.0.1:{self._port}"
        self.admin_kubeconfig = self.kubeconfig_for_user("admin", ["system:masters"])
        self._tls = ssl.create_default_context(cafile=self._authority.certificate)
        self._tls.load_cert_chain(*self._authority.issue_user("readiness", ["system:masters"]))
        self.etcd = GuardedProcess(self._etcd_command(), self._folder, self.folder / "etcd.log")
        self.start_apiserver()

    def stop(self) -> None:
        """End both at once and remove all they have stored."""
        for process in (self.apiserver, self.etcd):
            if process:
                process.kill()
        self.apiserver = self.etcd = None
        self.close()
        if self._folder:
            self._folder.remove()
            self._folder = None

    def start_apiserver(self) -> None:
        """Start the API server on its port, with the data that etcd has."""
        log = self.folder / "kube-apiserver.log"
        self.apiserver = GuardedProcess(self._apiserver_command(), self._running_folder(), log)
        wait_until_ready("kube-apiserver", self.apiserver, self._is_ready)

    def stop_apiserver(self) -> None:
        """Kill the API server; etcd keeps running."""
        if self.apiserver:
            self.apiserver.kill()
            self.apiserver = None

    @property
    def folder(self) -> Path:
        """The folder of this control plane: certificates, kubeconfigs, logs, data."""
        return self._running_folder().path

    def kubeconfig_for_user(self, name: str, groups: Sequence[str] = ()) -> Path:
        """Give a kubeconfig of this user, by client certificate; RBAC decides what he may do."""
        user = certificate_user(*self._authority.issue_user(name, groups))
        return self._write_kubeconfig(f"user-{name}", user)

    def kubeconfig_for_service_account(self, namespace: str, name: str) -> Path:
        """Give a kubeconfig with a token for this ServiceAccount, which must exist."""
        token = self.kubectl("create", "token", name, "--namespace", namespace, "--duration=24h").stdout
        return self._write_kubeconfig(f"serviceaccount-{namespace}-{name}", {"token": token.strip()})

    def _running_folder(self) -> GuardedFolder:
        if not self._folder:
            raise RuntimeError("the control plane is not started")
        return self._folder

    def _write_kubeconfig(self, stem: str, user: Mapping[str, str]) -> Path:
        file = self.folder / f"{stem.replace('/', '_')}.kubeconfig"
        return write_kubeconfig(file, self.url, self._authority.certificate, user)

    def _is_ready(self) -> bool:
        """Return whether the API server is ready and has the default namespace, which /readyz does not cover."""
        return all(answers(self.url + path, self._tls) for path in ("/readyz", "/api/v1/namespaces/default"))

    def _etcd_command(self) -> list[str | Path]:
        peer = f"http://127.0.0.1:{free_port()}"
        return [
            self._binaries / "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_command(self) -> list[str | Path]:
        certificate, key = self._certificate
        return [
            self._binaries / "kube-apiserver",
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self._authority.certificate}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._token_key}",
            f"--service-account-signing-key-file={self._token_key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",  # it refuses to publish a loopback address
            "--disable-admission-plugins=ServiceAccount",  # it waits for default ServiceAccounts, which nobody makes
            *self._extra,
        ]
