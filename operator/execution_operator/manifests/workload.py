"""The operator's Deployment, disruption budget and network policy."""

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

PORT = 8080
"""The port for probes and metrics."""

ARGUMENTS = ("run", "--leader-elect", "--log-format=json", f"--http-address=0.0.0.0:{PORT}")
"""The arguments of the operator in every installation."""


@dataclass(frozen=True)
class Pods:
    """The settings of a Deployment that differ between installations.

    Attributes:
        metadata: The metadata of the Deployment.
        selector: The labels by which the Deployment selects its pods.
        labels: The labels of the pods.
        annotations: The annotations of the pods.
        replicas: The number of pods.
        spec: More fields of the pods' spec.
        container: More fields of the container. `image` is required.
        scheme: The scheme of the probes, HTTP or HTTPS.
    """

    metadata: Object
    selector: Object
    labels: Any
    annotations: Any
    replicas: Any
    spec: Object = field(default_factory=dict)
    container: Object = field(default_factory=dict)
    scheme: Any = "HTTP"


def deployment(pods: Pods) -> Object:
    """Return the Deployment. An update ends an old pod only when a new one is ready, so a standby is always there."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": pods.metadata,
        "spec": {
            "replicas": pods.replicas,
            "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": pods.selector},
            "template": {
                "metadata": {"labels": pods.labels, "annotations": pods.annotations},
                "spec": _pod(pods),
            },
        },
    }


def _pod(pods: Pods) -> Object:
    return {
        "serviceAccountName": pods.metadata["name"],
        "automountServiceAccountToken": True,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 30,
        "topologySpreadConstraints": [_spread(key, pods.selector) for key in ("kubernetes.io/hostname", ZONE)],
        **pods.spec,
        "containers": [_container(pods.container, pods.scheme)],
    }


CONTAINER = "operator"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
ZONE = "topology.kubernetes.io/zone"


def _spread(key: str, selector: Object) -> Object:
    """Return a constraint that spreads the replicas if possible. They also run on a single node."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }


def _container(more: Object, scheme: Any) -> Object:
    """Return the container. Its liveness probe fails only after a minute, so a busy node does not restart it."""
    return {
        "name": CONTAINER,
        **more,
        "ports": [{"name": "http", "containerPort": PORT}],
        "livenessProbe": _probe("/healthz", scheme, periodSeconds=10, failureThreshold=6),
        "readinessProbe": _probe("/readyz", scheme, periodSeconds=5, failureThreshold=2),
        "startupProbe": _probe("/healthz", scheme, periodSeconds=2, failureThreshold=150),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
    }


def _probe(path: str, scheme: Any, **times: int) -> Object:
    return {"httpGet": {"path": path, "port": "http", "scheme": scheme}, "timeoutSeconds": 3, **times}


def disruption_budget(metadata: Object, selector: Object) -> Object:
    """Return the PodDisruptionBudget. It permits one unavailable pod, so even a single replica can be drained."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector},
    }
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def network_policy(metadata: Object, selector: Object, metrics_from: Any, egress_ports: Any) -> Object:
    """Return the NetworkPolicy: ingress for probes and metrics, egress for DNS and the given ports."""
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata,
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": metrics_from, "ports": [{"protocol": "TCP", "port": "http"}]}],
            "egress": [{"ports": dns}, {"ports": egress_ports}],
        },
    }
