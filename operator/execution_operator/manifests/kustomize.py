"""Generates `deploy/kustomize`: one installation for the whole cluster. Its optional parts are components."""

from typing import Any

from execution_operator import __version__
from execution_operator.manifests import monitoring, policies, roles, workload
from execution_operator.manifests.values import Values

Object = dict[str, Any]

HERE: Object = {"name": roles.NAME, "namespace": roles.NAME}
SELECTOR: Object = {"app.kubernetes.io/name": roles.NAME}
LABELLED: Object = {**HERE, "labels": SELECTOR}
DEFAULTS = Values()


def files() -> dict[str, list[Object]]:
    """Return the documents of each generated file, by path below `deploy/kustomize`."""
    return {
        "base/operator-access.yaml": roles.operator_access(),
        "base/user-roles.yaml": roles.user_roles(),
        "base/policies.yaml": [*policies.permission(), *policies.requester_guard(), *policies.advice()],
        "base/operator.yaml": [_deployment(), workload.disruption_budget(HERE, SELECTOR)],
        "requester-stamp.yaml": policies.requester_stamp(),
        "components/network-policy/network-policy.yaml": [_network_policy()],
        "components/monitoring/monitoring.yaml": [
            monitoring.service(LABELLED, SELECTOR),
            monitoring.service_monitor(HERE, SELECTOR, DEFAULTS.service_monitor.interval),
            monitoring.rules(HERE, monitoring.plain_job, monitoring.plain_runbook),
        ],
    }


def _deployment() -> Object:
    """Return the Deployment. An optional ConfigMap and an optional Secret set its `TEMPORAL_*` environment."""
    source = {"name": roles.NAME, "optional": True}
    return workload.deployment(
        workload.Pods(
            metadata=LABELLED,
            selector=SELECTOR,
            labels=SELECTOR,
            annotations={workload.DEFAULT_CONTAINER: workload.CONTAINER},
            replicas=DEFAULTS.replicas,
            container={
                "image": f"{DEFAULTS.image.repository}:{__version__}",
                "imagePullPolicy": DEFAULTS.image.pull_policy,
                "args": list(workload.ARGUMENTS),
                "envFrom": [{"configMapRef": source}, {"secretRef": source}],
                "resources": DEFAULTS.resources,
            },
        )
    )


def _network_policy() -> Object:
    ports = [{"protocol": "TCP", "port": port} for port in DEFAULTS.network_policy.egress_ports]
    return workload.network_policy(HERE, SELECTOR, [], ports)
