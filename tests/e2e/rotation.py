"""Rotates the client certificate of an Organization: its Secret is replaced while requests are pending."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

from tests.demo.screen import Screen
from tests.e2e.kind_stack import KindStack
from tests.faults.harness.history_checks import check_terminated, outcome_of
from tests.support.certificates import Authority
from tests.support.kube import GROUP, Json, conditions_of
from tests.support.waiting import wait_for
from tests.support.workflows import Agent

HERE = Path(__file__).parent
CODE = {"mtls_proxy.py": HERE / "mtls_proxy.py", "tls_stream.py": HERE.parent / "support" / "tls_stream.py"}
ORGANIZATION, NAMESPACE, SECRET = "initech", "team-i", "initech-tls"
EACH = 10
"""Requests before, between and after."""


class Rotation:
    """`initech` reaches Temporal through an endpoint that takes certificates of one authority only.

    Args:
        site: Where.
        screen: The output.
    """

    def __init__(self, stack: KindStack, screen: Screen) -> None:
        self._stack, self._cluster, self._screen = stack, stack.control_plane, screen
        self._folder = stack.control_plane.folder
        self._authorities = [self._authority(name) for name in ("front", "old", "new")]
        self._names: list[str] = []

    def rotate(self) -> None:
        """Change the certificates that the endpoint accepts, then replace the Secret."""
        self._screen.title("the Secret with an Organization's client certificate is rotated; the old one is refused")
        _, old, new = self._authorities
        self._samples = self._stack.worker("solo")
        before = {pod["metadata"]["name"] for pod in self._stack.operators.pods()}
        self._serve(old)
        self._certify(old)
        self._stack.namespace(NAMESPACE)
        temporal = {
            "address": "front.temporal.svc:7233",
            "namespace": "solo",
            "tls": {"serverName": "localhost", "secretName": SECRET},
        }
        self._stack.apply("Organization", ORGANIZATION, {"namespaces": [NAMESPACE], "temporal": temporal})
        self._ready("True/Ready")
        self._ask("before")
        self._settle()
        self._serve(new)
        self._ask("between")
        self._ready("False/TemporalRefused")
        pending = sum(not outcome_of(self._get(name)) for name in self._names[EACH:])
        self._screen.promise(
            "no request has an outcome while the certificate is refused", kept=pending == EACH, found=pending
        )
        self._certify(new)
        self._ready("True/Ready")
        self._ask("after")
        self._settle()
        same = {pod["metadata"]["name"] for pod in self._stack.operators.pods()} == before
        self._screen.promise("no operator was restarted for the rotation", kept=same)

    def _serve(self, clients: Authority) -> None:
        """Run the endpoint with this authority for client certificates."""
        certificate, key = self._authorities[0].issue_server("front")
        self._put("configmap", "front", "temporal", CODE)
        files = {"tls.crt": certificate, "tls.key": key, "clients.crt": clients.certificate}
        self._put("secret generic", "front", "temporal", files)
        self._cluster.kubectl("apply", "--validate=strict", "-f", HERE / "mtls_proxy.yaml")
        self._cluster.kubectl("rollout", "restart", "deployment/front", "--namespace=temporal")
        self._cluster.rolled_out("temporal", "front")

    def _certify(self, authority: Authority) -> None:
        """Put a certificate of this authority into the Organization's Secret."""
        certificate, key = authority.issue_user(ORGANIZATION, [])
        files = {"tls.crt": certificate, "tls.key": key, "ca.crt": self._authorities[0].certificate}
        data = {name: base64.b64encode(file.read_bytes()).decode() for name, file in files.items()}
        metadata = {"name": SECRET, "namespace": self._stack.chart.namespace}
        secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": metadata, "data": data}
        self._cluster.kubectl("apply", "--filename=-", input=json.dumps(secret))

    def _put(self, kind: str, name: str, namespace: str, files: Mapping[str, Path]) -> None:
        sources = [f"--from-file={key}={file}" for key, file in files.items()]
        command = ("create", *kind.split(), name, f"--namespace={namespace}", *sources)
        manifest = self._cluster.kubectl(*command, "--dry-run=client", "--output=json").stdout
        self._cluster.kubectl("apply", "--filename=-", input=manifest)

    def _ready(self, expected: str) -> None:
        """Wait for the Organization's condition, and print it."""

        def shown() -> Json | None:
            organization = self._cluster.kube.call("GET", f"{GROUP}/organizations/{ORGANIZATION}")
            return organization if conditions_of(organization).get("Ready") == expected else None

        conditions = wait_for(shown, f"{ORGANIZATION} to be {expected}", seconds=60)["status"]["conditions"]
        message = next(condition["message"] for condition in conditions if condition["type"] == "Ready")
        self._screen.promise(f"Organization {ORGANIZATION}: Ready {expected}", kept=True)
        self._screen.say(f"  {message}")

    def _ask(self, when: str) -> None:
        """Start workflows and request their termination."""
        for number in range(EACH):
            name = f"{when}-{number}"
            self._samples.begin(Agent, name, organization=None)
            self._cluster.kube.create(name, NAMESPACE, terminate={"reason": f"end of {name}"})
            self._names.append(name)

    def _settle(self) -> None:
        """Wait until all requests have outcomes, and verify them against Temporal."""
        wait_for(lambda: all(outcome_of(self._get(name)) for name in self._names), "all to be answered", seconds=60)
        wrong = [f"{name}: {fault}" for name in self._names for fault in self._faults(name)]
        self._screen.promise(
            f"{len(self._names)} requests, each terminated exactly once with a true status", kept=not wrong, found=wrong
        )

    def _faults(self, name: str) -> list[str]:
        return check_terminated(self._get(name), self._samples.history(name))

    def _get(self, name: str) -> Json:
        return self._cluster.kube.get(name, NAMESPACE)

    def _authority(self, name: str) -> Authority:
        folder = self._folder / name
        folder.mkdir()
        return Authority(folder)
