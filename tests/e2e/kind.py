"""A cluster made by kind, which ends with its block.

KIND names the program `kind` (else it is looked for in PATH), KIND_NODE_IMAGE the node's image and KIND_CONFIG a
configuration file (else kind's own).
"""

import base64
import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path

from tests.support.certificates import request_certificate
from tests.support.cluster import Cluster
from tests.support.kubeconfig import certificate_user, write_kubeconfig
from tests.support.process import GuardedFolder
from tests.support.waiting import wait_for


class NoKindError(Exception):
    """There is no program `kind`."""


def find_kind() -> str:
    """Return the program."""
    if found := shutil.which(os.environ.get("KIND") or "kind"):
        return found
    raise NoKindError("there is no kind: KIND names the program, or PATH has it")


class KindCluster(Cluster):
    """A cluster of its own name, its kubeconfig in a folder of its own."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.name = f"execution-operator-{secrets.token_hex(2)}"
        self._folder: GuardedFolder | None = None

    @property
    def folder(self) -> Path:
        """The folder with certificates and kubeconfigs."""
        if self._folder is None:
            raise RuntimeError("the cluster is not started")
        return self._folder.path

    def start(self) -> None:
        """Create it; return once its nodes are ready."""
        self._folder = GuardedFolder("execution-operator-kind-")
        self.admin_kubeconfig = self.folder / "admin.kubeconfig"
        options = {"image": os.environ.get("KIND_NODE_IMAGE"), "config": os.environ.get("KIND_CONFIG")}
        chosen = [f"--{option}={value}" for option, value in options.items() if value]
        self._run("create", "cluster", f"--kubeconfig={self.admin_kubeconfig}", "--wait=120s", *chosen)
        self._unpack()

    def stop(self) -> None:
        """Delete it."""
        self.close()
        if self._folder:
            self._run("delete", "cluster", f"--kubeconfig={self.admin_kubeconfig}")
            self._folder.remove()
            self._folder = None

    def load(self, *images: str) -> None:
        """Bring images of the Docker engine onto its nodes, which then never pull them."""
        self._run("load", "docker-image", *images)

    def rolled_out(self, namespace: str, deployment: str) -> None:
        """Wait until a Deployment is as its spec says."""
        target = (f"deployment/{deployment}", f"--namespace={namespace}")
        self.kubectl("rollout", "status", *target, "--timeout=300s")

    def kubeconfig_for_user(self, name: str) -> Path:
        """Give a kubeconfig of this user, whose certificate the cluster signs."""
        key = self.folder / f"user-{name}.key"
        spec = {
            "request": base64.b64encode(request_certificate(name, key)).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        }
        kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
        self.kubectl("create", "--filename=-", input=json.dumps({**kind, "metadata": {"name": name}, "spec": spec}))
        self.kubectl("certificate", "approve", name)
        path = f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}"
        signed = wait_for(lambda: self.kube.call("GET", path)["status"].get("certificate"), f"a certificate for {name}")
        certificate = self._write(f"user-{name}.crt", signed)
        file = self.folder / f"user-{name}.kubeconfig"
        return write_kubeconfig(file, self.url, self.folder / "ca.crt", certificate_user(certificate, key))

    def _run(self, *command: str) -> None:
        words = [self._kind, *command[:2], f"--name={self.name}", *command[2:]]
        result = subprocess.run(words, capture_output=True, text=True, check=False)
        if result.returncode:
            raise RuntimeError(f"kind {' '.join(command[:2])}: {result.stderr[-3000:]}")

    def _unpack(self) -> None:
        """Lay the administrator's certificate where clients find it."""
        view = ("config", "view", "--raw", "--flatten", "--output=json")
        config = json.loads(self.kubectl(*view).stdout)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.url = cluster["server"]
        self._write("ca.crt", cluster["certificate-authority-data"])
        self._write("user-admin.crt", user["client-certificate-data"])
        self._write("user-admin.key", user["client-key-data"])

    def _write(self, name: str, content: str) -> Path:
        file = self.folder / name
        file.touch(mode=0o600)
        file.write_bytes(base64.b64decode(content))
        return file
