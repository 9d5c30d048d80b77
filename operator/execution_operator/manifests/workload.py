"""The operator's pods, and what protects them."""

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]

PORT = 8080
"""Where the operator answers probes, and serves metrics."""

ARGUMENTS = ("run", "--leader-elect", "--log-format=json", f"--http-address=0.0.0.0:{PORT}")
"""What every installation runs the operator with."""


@dataclass(frozen=True)
class Pods:
    """What an installation decides on."""

    metadata: Object
    """Of the Deployment."""
    selector: Object
    labels: Any
    annotations: Any
    replicas: Any
    spec: Object = field(default_factory=dict)
    """More of the pods' spec."""
    container: Object = field(default_factory=dict)
    """More of the container: at least its image."""
    scheme: Any = "HTTP"
    """How probes speak to it."""


def deployment(pods: Pods) -> Object:
    """Return the Deployment. A new pod is ready before an old one goes: there is always somebody to take the lead."""
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
        "topologySpreadConstraints": [_spread(of, pods.selector) for of in ("kubernetes.io/hostname", ZONE)],
        **pods.spec,
        "containers": [_container(pods.container, pods.scheme)],
    }


CONTAINER = "operator"
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
ZONE = "topology.kubernetes.io/zone"


def _spread(key: str, selector: Object) -> Object:
    """Keep replicas apart where that is possible: a cluster of one node runs them all the same."""
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector},
    }


def _container(more: Object, scheme: Any) -> Object:
    """Return the container. A node without time to spare is not made worse by killing what waits for its share."""
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
    """Return the PodDisruptionBudget. It never blocks the draining of a node for good, even with one replica."""
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector},
    }
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec}


def network_policy(metadata: Object, selector: Object, metrics_from: Any, egress_ports: Any) -> Object:
    """Return the NetworkPolicy. The operator serves nothing but probes and metrics."""
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
