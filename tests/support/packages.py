"""What `deploy/` ships, installed as users install it: by Helm, and by kustomize."""

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from execution_operator.manifests.workload import PORT
from tests.support.binaries import helm
from tests.support.cluster import Cluster
from tests.support.installed import wait_until_enforced
from tests.support.operator import Operator
from tests.support.ports import free_port
from tests.support.server import start_all
from tests.support.stack import LocalStack
from tests.support.workflows import Samples

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "execution-operator"
Object = dict[str, Any]


def run_helm(control_plane: Cluster, *arguments: str | Path, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run Helm as the administrator, with nothing of the user's own."""
    homes = {f"HELM_{of}_HOME": str(control_plane.folder / "helm") for of in ("CACHE", "CONFIG", "DATA")}
    environment = {**os.environ, **homes, "KUBECONFIG": str(control_plane.admin_kubeconfig)}
    command = [helm(), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if check and result.returncode:
        raise RuntimeError(f"helm {' '.join(map(str, arguments))}: {result.stderr.strip()}")
    return result


class Package(ABC):
    """One way to install."""

    name: str
    namespace: str

    @abstractmethod
    def rendered(self, control_plane: Cluster) -> str:
        """Return the manifests as they would be installed there."""

    @abstractmethod
    def install(self, control_plane: Cluster) -> None:
        """Install everything into a namespace that enforces restricted Pod Security."""

    @abstractmethod
    def uninstall(self, control_plane: Cluster) -> None:
        """Uninstall, as the README says."""

    def deployment(self, control_plane: Cluster) -> Object:
        """Return the Deployment as the API server has it."""
        get = ("get", "deployment", self.name, f"--namespace={self.namespace}", "--output=json")
        content: Object = json.loads(control_plane.kubectl(*get).stdout)
        return content

    def container(self, control_plane: Cluster) -> Object:
        """Return the operator's container, as the API server has it."""
        (container,) = self.deployment(control_plane)["spec"]["template"]["spec"]["containers"]
        content: Object = container
        return content


class Chart(Package):
    """`helm install`."""

    def __init__(
        self,
        name: str = "termination",
        namespace: str = "operations",
        values: Sequence[str] = (),
        works_in: Sequence[str] = (),
    ) -> None:
        self.name, self.namespace, self._works_in = name, namespace, works_in
        values = [*values, *([f"namespaces={{{','.join(works_in)}}}"] if works_in else [])]
        self._options = [f"--namespace={namespace}", *(f"--set={value}" for value in values)]

    def rendered(self, control_plane: Cluster) -> str:
        """Render what an installation would send."""
        options = (*self._options, "--dry-run=server", "--output=json")
        content: str = json.loads(run_helm(control_plane, "install", self.name, CHART, *options).stdout)["manifest"]
        return content

    def install(self, control_plane: Cluster) -> None:
        """Install into a namespace of its own; those where it works must be there."""
        for name in self._works_in:
            control_plane.kubectl("create", "namespace", name, check=False)
        control_plane.kubectl("apply", "--filename=-", input=restricted_namespace(self.namespace))
        self.run(control_plane, "install")

    def run(self, control_plane: Cluster, command: str, *options: str, chart: Path = CHART) -> None:
        """Install or upgrade."""
        run_helm(control_plane, command, self.name, chart, *self._options, *options)

    def uninstall(self, control_plane: Cluster) -> None:
        """Uninstall; namespaces are never Helm's."""
        run_helm(control_plane, "uninstall", self.name, f"--namespace={self.namespace}")


class Kustomization(Package):
    """`kubectl apply -k`."""

    name = namespace = "execution-operator"

    def rendered(self, control_plane: Cluster) -> str:
        """Render it."""
        return control_plane.kubectl("kustomize", DEPLOY / "kustomize").stdout

    def install(self, control_plane: Cluster) -> None:
        """Apply it; the namespace is part of it."""
        control_plane.kubectl("apply", "--server-side", "--validate=strict", "-k", DEPLOY / "kustomize")

    def uninstall(self, control_plane: Cluster) -> None:
        """Delete the objects without waiting, because without a controller-manager the namespace is never removed."""
        control_plane.kubectl("delete", "--wait=false", "-k", DEPLOY / "kustomize")


def restricted_namespace(name: str) -> str:
    """Return a namespace that takes only pods that keep to the restricted Pod Security standard."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def objects(manifests: str) -> list[Object]:
    """Return the objects of a YAML stream."""
    return [document for document in yaml.safe_load_all(manifests) if document]


class PackagedStack(LocalStack):
    """A local stack whose operator is what a package installs: its account, its arguments."""

    def __init__(self, package: Package) -> None:
        super().__init__()
        self.package = package

    def start(self) -> None:
        """Start the servers, install, and run the operator as its Deployment would."""
        start_all(self.control_plane, self.temporal)
        self.package.install(self.control_plane)
        wait_until_enforced(self.control_plane)
        self.samples = Samples(self.temporal.address, "shared")
        arguments = here(self.package.container(self.control_plane)["args"])
        self.operator = Operator(self.control_plane, self.temporal.address, arguments)
        self.operator.namespace, self.operator.account = self.package.namespace, self.package.name
        start_all(self.samples, self.operator)


def here(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of the Deployment with an address that is free on this machine."""
    return [argument.replace(f"0.0.0.0:{PORT}", f"127.0.0.1:{free_port()}") for argument in arguments]
