"""The servers, a fault proxy in front of each, operators behind them, and what is true of all that they settle."""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from temporalio.api.history.v1 import HistoryEvent

from tests.faults.operators import Forge, ForkedOperator
from tests.faults.truth import outcome_of
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
LEFT_OUT = ("TEMPORAL_", "KUBE")


class Rig(Server):
    """Two organizations on one Temporal namespace, `acme` (team-a, team-c) and `globex` (team-b), and one operator."""

    def __init__(self) -> None:
        self.control_plane = ControlPlane()
        self.temporal = TemporalServer(["shared"], durable=True)
        self.forge = Forge()
        self.faults = Faults()
        self._crash = threading.Lock()
        self._operators: list[ForkedOperator] = []

    def start(self) -> None:
        """Start everything."""
        start_all(self.control_plane, self.temporal, self.forge)
        install(self.control_plane)
        folder = self.control_plane.folder
        self.kube = Kube(
            self.control_plane.url, folder / "ca.crt", (folder / "user-admin.crt", folder / "user-admin.key")
        )
        self.samples = Samples(self.temporal.address, "shared")
        self.grpc = GrpcProxy(self.temporal.address, self.faults)
        self._authority = Authority(self.forge.folder)
        certificate = self._authority.issue_server("api-proxy")
        self.api = ApiProxy(self.control_plane.url, folder / "ca.crt", certificate, self.faults)
        start_all(self.samples, self.grpc, self.api)
        for organization, namespaces in TENANTS.items():
            self._organize(organization, *namespaces)
        self.operator = self.new_operator("operator")
        self.operator.start()

    def stop(self) -> None:
        """Stop everything."""
        for operator in self._operators:
            operator.kill()
        if hasattr(self, "kube"):
            self.kube.close()
        for part in ("forge", "samples", "grpc", "api", "control_plane", "temporal"):
            if server := getattr(self, part, None):
                server.stop()

    def crash(self) -> None:
        """Kill the operator, and start it again. Safe to call from a proxy."""
        with self._crash:
            self.operator.kill()
            self.operator.launch()

    def ensure_operator(self) -> None:
        """Start the operator if it does not run; return once it takes up requests."""
        with self._crash:
            if not self.operator.pid:
                self.operator.launch()
            self.operator.ready()

    @contextmanager
    def operated_by(self, operator: ForkedOperator) -> Iterator[None]:
        """Have another operator take the place of the first one for a while."""
        usual = self.operator
        usual.kill()
        self.operator = operator
        try:
            operator.start()
            yield
        finally:
            self.operator.kill()
            self.operator = usual

    def new_operator(self, name: str, kubeconfig: Path | None = None, forge: Forge | None = None) -> ForkedOperator:
        """Return an operator behind both proxies, not started."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(LEFT_OUT)}
        environment = {
            **own,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig(name)),
            "OPERATOR_NAMESPACE": NAMESPACE,
            "TEMPORAL_ADDRESS": self.grpc.address,
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }
        self._operators.append(operator := ForkedOperator(forge or self.forge, name, environment))
        return operator

    def kubeconfig(self, name: str, user: Mapping[str, str] | None = None) -> Path:
        """Write a kubeconfig by which the operator's ServiceAccount reaches the API server through the proxy."""
        file = self.forge.folder / f"{name}.kubeconfig"
        return write_kubeconfig(file, self.api.url, self._authority.certificate, user or {"token": self.token()})

    def token(self) -> str:
        """Return a new token of the operator's ServiceAccount."""
        command = ("create", "token", ACCOUNT, "--namespace", NAMESPACE, "--duration=24h")
        return self.control_plane.kubectl(*command).stdout.strip()

    def until(self, name: str, namespace: str = "team-a", seconds: float = 30, **conditions: str) -> Json:
        """Wait until the Execution's conditions are these (`Terminated="True/Terminated"`); return it."""

        def shown() -> Json | None:
            execution = self.kube.get(name, namespace)
            found = conditions_of(execution)
            return execution if all(found.get(of, "") == value for of, value in conditions.items()) else None

        try:
            return wait_for(shown, f"{namespace}/{name} to show {conditions}", seconds, interval=0.02)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; it is {json.dumps(self.kube.get(name, namespace), indent=1)}") from None

    def settled(self, names: Sequence[str], namespace: str = "team-a", seconds: float = 60) -> dict[str, Json]:
        """Wait until all of these requests are answered; return the Executions by name."""

        def answered() -> dict[str, Json] | None:
            found = {item["metadata"]["name"]: item for item in self.kube.list(namespace)}
            done = all(name in found and outcome_of(found[name]) for name in names)
            return {name: found[name] for name in names} if done else None

        return wait_for(answered, f"{len(names)} requests to be answered", seconds, interval=0.1)

    def history(self, workflow_id: str, run_id: str | None = None) -> list[HistoryEvent]:
        """Return a run's events."""
        return self.samples.history(workflow_id, run_id)

    def terminated_runs(self) -> set[str]:
        """Return the IDs of all runs that were terminated, by whomever."""
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


class Bystander:
    """A workflow and its Execution in the other organization: open, and nobody asks for its end."""

    NAME = "bystander"

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        rig.samples.begin(Agent, self.NAME, organization="globex")
        rig.kube.create(self.NAME, "team-b")
        self._conditions = conditions_of(rig.until(self.NAME, "team-b", Finished="False/Open", Reconciling=""))
        wait_for(lambda: len(rig.history(self.NAME)) > 4, "the first task of the bystander")
        self._before = self._state()

    def recover(self) -> None:
        """Wait until the sound operator has corrected what a broken build wrote into the status.

        A broken build may deny the bystander, too. Its workflow must run on all the same.
        """
        wait_for(
            lambda: conditions_of(self._rig.kube.get(self.NAME, "team-b")) == self._conditions,
            "the bystander's conditions to be as before",
        )
        events, *_ = self._before
        self._before = self._state()
        assert self._before[0] == events, "the broken build has changed the bystander's workflow"

    def harm(self) -> str:
        """Say what has changed since the beginning; empty if nothing has."""
        now = self._state()
        return "" if now == self._before else f"the bystander was {self._before}, and is {now}"

    def _state(self) -> tuple[int, str, Json]:
        execution = self._rig.kube.get(self.NAME, "team-b")
        return len(self._rig.history(self.NAME)), execution["metadata"]["resourceVersion"], execution["status"]
