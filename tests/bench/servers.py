"""The servers of a benchmark: API server with RBAC and an audit log of the operator's account, etcd, Temporal."""

import json
import os
from collections.abc import Mapping

from temporalio.client import Client

from tests.bench.etcd import Etcd
from tests.support.controlplane import ControlPlane
from tests.support.installed import install
from tests.support.operator import ACCOUNT, NAMESPACE
from tests.support.process import GuardedFolder
from tests.support.server import Server, start_all
from tests.support.temporal import TemporalServer

TEMPORAL_NAMESPACE, EXECUTIONS_NAMESPACE = "bench", "crowd"
"""The Temporal namespace of all workflows, and the Kubernetes namespace of their Executions."""

USER = f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"
"""The account under which every peer runs, ours by its manifests."""

POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "users": [USER]}, {"level": "None"}],
}

API_VERSION = "control-plane.kubiya.ai/v1alpha1"

FOR_KOPF = ("create", "clusterrole", "for-kopf", "--verb=list,watch", "--resource=customresourcedefinitions")
"""What a kopf operator with defaults asks for beyond our own account's rights."""


class BenchServers(Server):
    """Servers, one Organization, and the ways to all of it."""

    def __init__(self) -> None:
        self._folder = GuardedFolder("execution-operator-bench-")
        policy = self._folder.path / "audit-policy.json"
        policy.write_text(json.dumps(POLICY))
        self.audit_log = self._folder.path / "audit.log"
        audit = (f"--audit-policy-file={policy}", f"--audit-log-path={self.audit_log}", "--audit-log-maxsize=10000")
        self.control_plane = ControlPlane(apiserver_arguments=audit)
        self.temporal = TemporalServer([TEMPORAL_NAMESPACE])

    def start(self) -> None:
        """Start the servers, and install what deploy/ ships."""
        start_all(self.control_plane, self.temporal)
        install(self.control_plane)
        self._apply("v1", "Namespace", EXECUTIONS_NAMESPACE)
        spec = {"namespaces": [EXECUTIONS_NAMESPACE], "temporal": {"namespace": TEMPORAL_NAMESPACE}}
        self._apply(API_VERSION, "Organization", "bench", spec=spec)
        self.control_plane.kubectl(*FOR_KOPF)
        self.control_plane.kubectl(
            *("create", "clusterrolebinding", "for-kopf", "--clusterrole=for-kopf"),
            f"--serviceaccount={NAMESPACE}:{ACCOUNT}",
        )
        self.kubeconfig = self.control_plane.kubeconfig_for_service_account(NAMESPACE, ACCOUNT)

    def stop(self) -> None:
        """Stop the servers."""
        self.control_plane.stop()
        self.temporal.stop()
        self._folder.remove()

    @property
    def folder(self) -> GuardedFolder:
        """Where peers write their logs."""
        return self._folder

    @property
    def etcd(self) -> Etcd:
        """The API server's store."""
        return Etcd(self.control_plane.etcd_url)

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of a peer's process."""
        own = {key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "KUBE"))}
        return {
            **own,
            "KUBECONFIG": str(self.kubeconfig),
            "OPERATOR_NAMESPACE": NAMESPACE,
            "TEMPORAL_ADDRESS": self.temporal.address,
            "TEMPORAL_NAMESPACE": TEMPORAL_NAMESPACE,
            "TEMPORAL_CONFIG_FILE": os.devnull,
        }

    async def client(self) -> Client:
        """Return a Temporal client, which ends with the loop."""
        return await Client.connect(self.temporal.address, namespace=TEMPORAL_NAMESPACE)

    def _apply(self, version: str, kind: str, name: str, **more: Mapping[str, object]) -> None:
        manifest = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more}
        self.control_plane.kubectl("apply", "-f", "-", input=json.dumps(manifest))
