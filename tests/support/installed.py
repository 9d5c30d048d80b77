"""A control plane as `deploy/` leaves it, and its namespaces as users see them by kubectl."""

import itertools
import json
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from tests.support.cluster import Cluster
from tests.support.controlplane import ControlPlane
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[2]
PROBE = "policy-probe"


def install(control_plane: ControlPlane) -> None:
    """Apply all that `deploy/kustomize` ships; return once the API server enforces it."""
    control_plane.kubectl("apply", "-k", CHECKOUT / "deploy" / "kustomize")
    wait_until_enforced(control_plane)


def wait_until_enforced(control_plane: Cluster) -> None:
    """Wait until the API server serves the resources, and enforces the policies."""
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all")
    binding = ("create", "rolebinding", PROBE, "--clusterrole=execution-editor", f"--user={PROBE}")
    control_plane.kubectl(*binding, check=False)  # it is there already where this is no first time
    wait_for(lambda: _denies(control_plane) and _stamps(control_plane), "the policies to be in force", interval=0.2)


def execution(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> str:
    """Return the manifest of an Execution."""
    return json.dumps(
        {
            "apiVersion": "control-plane.kubiya.ai/v1alpha1",
            "kind": "Execution",
            "metadata": {"name": name, **({"annotations": annotations} if annotations else {})},
            "spec": {"executionId": f"id-of-{name}", **spec},
        }
    )


class Tenant:
    """A namespace, and kubectl in it: as the administrator, or as anybody else."""

    _numbers = itertools.count(1)

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.control_plane = control_plane
        self.namespace = namespace
        control_plane.kubectl("create", "namespace", namespace)

    def kubectl(
        self,
        *arguments: str,
        user: str | None = None,
        kubeconfig: Path | None = None,
        manifest: str | None = None,
        check: bool = True,
    ) -> CompletedProcess[str]:
        """Run kubectl in the namespace; a manifest is what `-f -` reads."""
        who = [f"--as={user}"] if user else []
        command = [*arguments, f"--namespace={self.namespace}", *who]
        return self.control_plane.kubectl(*command, kubeconfig=kubeconfig, input=manifest, check=check)

    def bind(self, user: str, *roles: str) -> None:
        """Give roles to a user, or to a ServiceAccount by its full name, in this namespace."""
        for role in roles:
            self.kubectl("create", "rolebinding", f"b{next(self._numbers)}", f"--clusterrole={role}", f"--user={user}")

    def create(self, name: str, status: dict[str, Any] | None = None, **spec: Any) -> str:
        """Create an Execution, with a status as the operator would write it; return its name."""
        self.kubectl("create", "-f", "-", manifest=execution(name, **spec))
        if status:
            self.patch(name, {"status": status})
        return name

    def patch(self, name: str, patch: dict[str, Any], *options: str, check: bool = True) -> CompletedProcess[str]:
        """Merge a patch into an Execution; one of `status` goes to the subresource."""
        target = ("--subresource=status",) if "status" in patch else ()
        return self.kubectl(
            "patch", "execution", name, "--type=merge", f"--patch={json.dumps(patch)}", *target, *options, check=check
        )

    def get(self, name: str) -> dict[str, Any]:
        """Return an Execution as it is stored."""
        stored: dict[str, Any] = json.loads(self.kubectl("get", "execution", name, "--output=json").stdout)
        return stored


def _denies(control_plane: Cluster) -> bool:
    """Return whether a request without permission is denied."""
    return "execution-terminate-permission" in _request(control_plane, f"--as={PROBE}").stderr


def _stamps(control_plane: Cluster) -> bool:
    """Return whether a request gets its requester annotation and its warning."""
    result = _request(control_plane)
    return REQUESTER_ANNOTATION in result.stdout and "execution-terminate-advice" in result.stderr


def _request(control_plane: Cluster, *options: str) -> CompletedProcess[str]:
    """Try a request to terminate, which nothing stores."""
    create = ("create", "--namespace=default", "--dry-run=server", "--output=yaml", "--filename=-", *options)
    return control_plane.kubectl(*create, input=execution("probe", terminate={"reason": "probe"}), check=False)
