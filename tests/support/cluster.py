"""What every cluster offers to tests: kubectl as the administrator or as somebody else, and its API without kubectl."""

import os
import subprocess
import sysconfig
from abc import abstractmethod
from pathlib import Path

from tests.support.kube import Kube
from tests.support.server import Server

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"


class Cluster(Server):
    """A Kubernetes API that somebody starts. Its folder holds `ca.crt`, `user-admin.crt` and `user-admin.key`."""

    url: str
    admin_kubeconfig: Path
    _kube: Kube | None = None

    @property
    @abstractmethod
    def folder(self) -> Path:
        """The folder of this cluster: certificates, kubeconfigs, logs."""

    @abstractmethod
    def kubeconfig_for_user(self, name: str) -> Path:
        """Give a kubeconfig of this user, by client certificate; RBAC decides what he may do."""

    @property
    def kube(self) -> Kube:
        """The API server as the administrator, without a process for each call as kubectl is."""
        if self._kube is None:
            admin = (self.folder / "user-admin.crt", self.folder / "user-admin.key")
            self._kube = Kube(self.url, self.folder / "ca.crt", admin)
        return self._kube

    def close(self) -> None:
        """Close the connections to the API server."""
        if self._kube:
            self._kube.close()
            self._kube = None

    def kubectl(
        self,
        *arguments: str | Path,
        kubeconfig: Path | None = None,
        input: str | None = None,  # noqa: A002 (as subprocess.run has it)
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Run kubectl as the administrator, or with the given kubeconfig; raise with its stderr if it fails."""
        environment = self.environment(kubeconfig)
        result = subprocess.run(
            [KUBECTL, *arguments], input=input, capture_output=True, text=True, check=False, env=environment
        )
        if check and result.returncode:
            raise RuntimeError(f"kubectl {' '.join(map(str, arguments))}: {result.stderr.strip()}")
        return result

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """Return the environment in which kubectl finds this cluster."""
        own = {"KUBECONFIG": str(kubeconfig or self.admin_kubeconfig), "KUBECACHEDIR": str(self.folder / "kubectl")}
        return {**os.environ, **own}
