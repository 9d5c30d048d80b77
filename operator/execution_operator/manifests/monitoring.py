"""What Prometheus and Grafana read: where the metrics are, what to be woken for, and the dashboard."""

from collections.abc import Callable
from typing import Any

from execution_operator.manifests import alerts, roles
from execution_operator.manifests.dashboard import text
from execution_operator.manifests.text import render
from execution_operator.manifests.workload import PORT

Object = dict[str, Any]

COREOS = "monitoring.coreos.com/v1"
DASHBOARD = "execution-operator.json"
RUNBOOKS = "docs/runbooks.md"


def service(metadata: Object, selector: Object) -> Object:
    """Return the Service by which metrics are found: each pod's own, so without an address of its own."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {
            "clusterIP": "None",
            "selector": selector,
            "ports": [{"name": "http", "port": PORT, "targetPort": "http"}],
        },
    }


def service_monitor(metadata: Object, selector: Object, interval: str) -> Object:
    """Return the ServiceMonitor."""
    endpoint = {"port": "http", "path": "/metrics", "interval": interval}
    spec = {"selector": {"matchLabels": selector}, "endpoints": [endpoint]}
    return {"apiVersion": COREOS, "kind": "ServiceMonitor", "metadata": metadata, "spec": spec}


def rules(metadata: Object, fill: Callable[[str], Any], runbook: Callable[[str], Any]) -> Object:
    """Return the PrometheusRule; see `alerts.groups`."""
    spec = {"groups": alerts.groups(fill, runbook)}
    return {"apiVersion": COREOS, "kind": "PrometheusRule", "metadata": metadata, "spec": spec}


def dashboard(metadata: Object, content: Any) -> Object:
    """Return the ConfigMap that Grafana's sidecar finds by its label."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {DASHBOARD: content}}


def plain_job(expression: str) -> str:
    """Fill in the job of an installation under the usual name."""
    return expression.replace(alerts.JOB, f'job="{roles.NAME}"')


def plain_runbook(anchor: str) -> str:
    """Return where this repository has the runbook."""
    return f"{RUNBOOKS}#{anchor}"


def files() -> dict[str, str]:
    """Return the text of each generated file below `deploy/monitoring`: for whoever has no Prometheus operator."""
    groups = alerts.groups(plain_job, plain_runbook)
    return {"alerts.yaml": render([{"groups": groups}]), "dashboard.json": text()}
