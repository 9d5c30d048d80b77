"""A complete installation: API server, Temporal, the resources of deploy/, the operator, and a worker."""

import json
from collections.abc import Mapping
from typing import Any

from tests.support.cluster import Cluster
from tests.support.controlplane import ControlPlane
from tests.support.installed import install
from tests.support.kube import GROUP, conditions_of
from tests.support.operator import Operator
from tests.support.server import Server, start_all
from tests.support.temporal import TemporalServer
from tests.support.waiting import wait_for
from tests.support.workflows import Samples

API_VERSION = "control-plane.kubiya.ai/v1alpha1"
Object = dict[str, Any]


class Stack(Server):
    """A cluster where the operator runs, and a worker, with methods for what users do with kubectl."""

    control_plane: Cluster
    samples: Samples

    def apply(self, kind: str, name: str, spec: Mapping[str, Any], namespace: str = "") -> None:
        """Create or change an Execution or an Organization."""
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        manifest = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
        where = f"/namespaces/{namespace}" if namespace else ""
        self.control_plane.kube.apply(f"{GROUP}{where}/{kind.lower()}s", manifest)

    def organization(self, name: str, *namespaces: str, temporal: str = "shared", owned: bool = True) -> None:
        """Create an Organization and its namespaces. With `owned`, its workflows must name it."""
        for namespace in namespaces:
            self.namespace(namespace)
        ownership = {"ownership": {"searchAttribute": "OrganizationId"}} if owned else {}
        self.apply("Organization", name, {"namespaces": namespaces, "temporal": {"namespace": temporal}, **ownership})

    def namespace(self, name: str) -> None:
        """Create a namespace if it does not exist."""
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self.control_plane.kube.apply("/api/v1/namespaces", manifest)

    def get(self, name: str, namespace: str = "team-a") -> Object:
        """Return an Execution."""
        return self.control_plane.kube.get(name, namespace)

    def terminate(self, name: str, reason: str, namespace: str = "team-a", **more: Any) -> None:
        """Set `spec.terminate`, as users do."""
        patch = json.dumps({"spec": {"terminate": {"reason": reason, **more}}})
        self.control_plane.kubectl(
            "patch", "execution", name, "--namespace", namespace, "--type=merge", "--patch", patch
        )

    def withdraw(self, name: str, namespace: str = "team-a") -> None:
        """Remove `spec.terminate`."""
        patch = '{"spec":{"terminate":null}}'
        self.control_plane.kubectl(
            "patch", "execution", name, "--namespace", namespace, "--type=merge", "--patch", patch
        )

    def until(self, name: str, namespace: str = "team-a", seconds: float = 15, **conditions: str) -> Object:
        """Wait until the Execution has these up-to-date conditions, as in `Terminated="True/Terminated"`. Return it."""

        def settled() -> Object | None:
            execution = self.get(name, namespace)
            return execution if matches(execution, conditions) else None

        try:
            return wait_for(settled, f"{namespace}/{name} to show {conditions}", seconds)
        except TimeoutError as error:
            status = json.dumps(self.get(name, namespace).get("status"), indent=1)
            raise TimeoutError(f"{error}; it is {status}") from None

    def events(self, name: str, namespace: str = "team-a") -> list[tuple[str, str, str]]:
        """Return type, reason and message of the Events of an Execution, in their order."""
        found = self.control_plane.kube.events(namespace, name)
        items = sorted(found, key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(event["type"], event["reason"], event["message"]) for event in items]

    def wait_for_events(self, name: str, namespace: str = "team-a", events: int = 1) -> list[tuple[str, str, str]]:
        """Wait for this number of Events, which are created after the status write. Return all."""
        wait_for(lambda: len(self.events(name, namespace)) >= events, f"{events} Events of {namespace}/{name}", 10)
        return self.events(name, namespace)


class LocalStack(Stack):
    """The servers, and the operator under its ServiceAccount's token.

    Temporal has two namespaces. In `shared`, workflows name their organization. `solo` belongs to one organization.
    The worker runs in `temporal_namespace`.
    """

    control_plane: ControlPlane

    def __init__(
        self,
        *,
        ui: bool = False,
        durable: bool = False,
        dynamic_config: Mapping[str, object] | None = None,
        temporal_namespace: str = "shared",
        feature_gates: Mapping[str, bool] | None = None,
    ) -> None:
        self.control_plane = ControlPlane(feature_gates)
        self.temporal = TemporalServer(["shared", "solo"], durable=durable, ui=ui, dynamic_config=dynamic_config)
        self._temporal_namespace = temporal_namespace

    def start(self) -> None:
        """Start the servers, install the resources of deploy/, and start the worker and the operator."""
        start_all(self.control_plane, self.temporal)
        install(self.control_plane)
        self.samples = Samples(self.temporal.address, self._temporal_namespace)
        self.operator = Operator(self.control_plane, self.temporal.address)
        start_all(self.samples, self.operator)

    def stop(self) -> None:
        """Stop the operator, the worker and the servers."""
        for server in (self.operator, self.samples, self.control_plane, self.temporal):
            server.stop()

    def exists(self, workflow_id: str) -> bool:
        """Return whether the shared Temporal namespace has a workflow of this ID."""
        return bool(self.temporal.cli("workflow", "describe", "-w", workflow_id, "-n", "shared", check=False).stdout)


def matches(execution: Object, conditions: Mapping[str, str]) -> bool:
    """Return whether the status is up to date and has these conditions. An empty string means an absent condition."""
    current = execution.get("status", {}).get("observedGeneration") == execution["metadata"]["generation"]
    found = conditions_of(execution)
    return current and all(found.get(of, "") == value for of, value in conditions.items())
