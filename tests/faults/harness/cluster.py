"""The servers of the fault tests, a fault proxy for each, and the operators that connect through the proxies."""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent

from tests.faults.harness.history_checks import outcome_of
from tests.faults.harness.operators import ForkedOperator, ForkServer
from tests.support.api_proxy import ApiProxy
from tests.support.certificates import Authority
from tests.support.controlplane import ControlPlane
from tests.support.faults import Faults
from tests.support.grpc_proxy import GrpcProxy
from tests.support.installed import install
from tests.support.kube import GROUP, Json, Kube, conditions_of
from tests.support.kubeconfig import write_kubeconfig
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.server import Server, start_all
from tests.support.temporal import TemporalServer
from tests.support.waiting import wait_for
from tests.support.workflows import Agent, Samples

TENANTS = {"acme": ("team-a", "team-c"), "globex": ("team-b",)}
"""The namespaces of each organization."""

REMOVED_PREFIXES = ("TEMPORAL_", "KUBE")
"""Prefixes of environment variables that the operators do not inherit."""


class FaultCluster(Server):
    """An API server, a Temporal server and one operator, with the organizations of `TENANTS`.

    Both organizations use the Temporal namespace `shared`.
    """

    def __init__(self) -> None:
        self.control_plane = ControlPlane()
        self.temporal = TemporalServer(["shared"], durable=True)
        self.fork_server = ForkServer()
        self.faults = Faults()
        self._crash = threading.Lock()
        self._operators: list[ForkedOperator] = []

    def start(self) -> None:
        """Start the servers, the proxies and the operator."""
        start_all(self.control_plane, self.temporal, self.fork_server)
        install(self.control_plane)
        folder = self.control_plane.folder
        self.kube = Kube(
            self.control_plane.url, folder / "ca.crt", (folder / "user-admin.crt", folder / "user-admin.key")
        )
        self.samples = Samples(self.temporal.address, "shared")
        self.grpc = GrpcProxy(self.temporal.address, self.faults)
        self._authority = Authority(self.fork_server.folder)
        certificate = self._authority.issue_server("api-proxy")
        self.api = ApiProxy(self.control_plane.url, folder / "ca.crt", certificate, self.faults)
        start_all(self.samples, self.grpc, self.api)
        for organization, namespaces in TENANTS.items():
            self._organize(organization, *namespaces)
        self.operator = self.new_operator("operator")
        self.operator.start()

    def stop(self) -> None:
        """Stop the operators, the proxies and the servers."""
        for operator in self._operators:
            operator.kill()
        if hasattr(self, "kube"):
            self.kube.close()
        for part in ("fork_server", "samples", "grpc", "api", "control_plane", "temporal"):
            if server := getattr(self, part, None):
                server.stop()

    def crash(self) -> None:
        """Kill the operator and start it again. Proxies may call this from their threads."""
        with self._crash:
            self.operator.kill()
            self.operator.launch()

    def ensure_operator(self) -> None:
        """Start the operator if it does not run. Return once it processes requests."""
        with self._crash:
            if not self.operator.pid:
                self.operator.launch()
            self.operator.ready()

    @contextmanager
    def operated_by(self, operator: ForkedOperator) -> Iterator[None]:
        """Replace the usual operator by another one for the duration of the block."""
        usual = self.operator
        usual.kill()
        self.operator = operator
        try:
            operator.start()
            yield
        finally:
            self.operator.kill()
            self.operator = usual

    def new_operator(
        self, name: str, kubeconfig: Path | None = None, fork_server: ForkServer | None = None
    ) -> ForkedOperator:
        """Return an operator that connects through both proxies. It is not started."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(REMOVED_PREFIXES)}
        environment = {
            **own,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig(name)),
            "OPERATOR_NAMESPACE": NAMESPACE,
            "TEMPORAL_ADDRESS": self.grpc.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        self._operators.append(operator := ForkedOperator(fork_server or self.fork_server, name, environment))
        return operator

    def kubeconfig(self, name: str, user: Mapping[str, str] | None = None) -> Path:
        """Write a kubeconfig for the operator's ServiceAccount, with the address of the API server's proxy."""
        file = self.fork_server.folder / f"{name}.kubeconfig"
        return write_kubeconfig(file, self.api.url, self._authority.certificate, user or {"token": self.token()})

    def token(self) -> str:
        """Return a new token for the operator's ServiceAccount."""
        command = ("create", "token", ACCOUNT, "--namespace", NAMESPACE, "--duration=24h")
        return self.control_plane.kubectl(*command).stdout.strip()

    def until(self, name: str, namespace: str = "team-a", seconds: float = 30, **conditions: str) -> Json:
        """Wait until the Execution has these conditions, such as `Terminated="True/Terminated"`. Return it."""

        def shown() -> Json | None:
            execution = self.kube.get(name, namespace)
            found = conditions_of(execution)
            return execution if all(found.get(of, "") == value for of, value in conditions.items()) else None

        try:
            return wait_for(shown, f"{namespace}/{name} to show {conditions}", seconds, interval=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {json.dumps(self.kube.get(name, namespace), indent=1)}") from None

    def settled(self, names: Sequence[str], namespace: str = "team-a", seconds: float = 60) -> dict[str, Json]:
        """Wait until each of these Executions has an outcome. Return the Executions by name."""

        def answered() -> dict[str, Json] | None:
            found = {item["metadata"]["name"]: item for item in self.kube.list(namespace)}
            done = all(name in found and outcome_of(found[name]) for name in names)
            return {name: found[name] for name in names} if done else None

        return wait_for(answered, f"the outcomes of {len(names)} requests", seconds, interval=0.1)

    def history(self, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
        """Return the history of a run."""
        return self.samples.history(workflow_id, run_id)

    def terminated_runs(self) -> set[str]:
        """Return the IDs of all terminated runs, whoever terminated them."""
        return self.samples.terminated_runs()

    def _organize(self, name: str, *namespaces: str) -> None:
        spec = {
            "namespaces": namespaces,
            "temporal": {"namespace": "shared"},
            "ownership": {"searchAttribute": "OrganizationId"},
        }
        kind = {"apiVersion": "control-plane.kubiya.ai/v1alpha1", "kind": "Organization"}
        for namespace in namespaces:
            self.kube.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        self.kube.call("POST", f"{GROUP}/organizations", {**kind, "metadata": {"name": name}, "spec": spec})


class OtherOrganization:
    """An open workflow of the other organization, with its Execution in `team-b`. No request concerns it."""

    NAME = "other-organization"

    def __init__(self, cluster: FaultCluster) -> None:
        self._cluster = cluster
        cluster.samples.begin(Agent, self.NAME, organization="globex")
        cluster.kube.create(self.NAME, "team-b")
        self._conditions = conditions_of(cluster.until(self.NAME, "team-b", Finished="False/Open", Reconciling=""))
        wait_for(lambda: len(cluster.history(self.NAME)) > 4, "the first task of the other organization's workflow")
        self._before = self._state()

    def wait_until_corrected(self) -> None:
        """Wait until the sound operator has corrected the status that a broken build wrote.

        A broken build may wrongly deny this Execution, too. It must not have changed the workflow.
        """
        wait_for(
            lambda: conditions_of(self._cluster.kube.get(self.NAME, "team-b")) == self._conditions,
            "the other organization's Execution to have its conditions back",
        )
        events, *_ = self._before
        self._before = self._state()
        assert self._before[0] == events, "the broken build has changed the other organization's workflow"

    def changes(self) -> str:
        """Describe what has changed since the start of the tests. Empty if nothing has changed."""
        now = self._state()
        return "" if now == self._before else f"the other organization's state was {self._before}, and is {now}"

    def _state(self) -> tuple[int, str, Json]:
        execution = self._cluster.kube.get(self.NAME, "team-b")
        return len(self._cluster.history(self.NAME)), execution["metadata"]["resourceVersion"], execution["status"]
