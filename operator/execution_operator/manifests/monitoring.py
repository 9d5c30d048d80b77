"""The objects for Prometheus and Grafana: Service, ServiceMonitor, PrometheusRule and dashboard."""

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
    """Return the Service for the ServiceMonitor. It is headless, because each pod has its own metrics."""
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
    """Return the ServiceMonitor, with an interval such as `30s`."""
    endpoint = {"port": "http", "path": "/metrics", "interval": interval}
    spec = {"selector": {"matchLabels": selector}, "endpoints": [endpoint]}
    return {"apiVersion": COREOS, "kind": "ServiceMonitor", "metadata": metadata, "spec": spec}


def rules(metadata: Object, fill: Callable[[str], Any], runbook: Callable[[str], Any]) -> Object:
    """Return the PrometheusRule. The arguments `fill` and `runbook` are those of `alerts.groups`."""
    spec = {"groups": alerts.groups(fill, runbook)}
    return {"apiVersion": COREOS, "kind": "PrometheusRule", "metadata": metadata, "spec": spec}


def dashboard(metadata: Object, content: Any) -> Object:
    """Return the ConfigMap with the dashboard. Grafana's sidecar finds it by its label."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {DASHBOARD: content}}


def plain_job(expression: str) -> str:
    """Replace JOB by the label matcher of an installation with the default name."""
    return expression.replace(alerts.JOB, f'job="{roles.NAME}"')


def plain_runbook(anchor: str) -> str:
    """Return the path of a runbook in this repository."""
    return f"{RUNBOOKS}#{anchor}"


def files() -> dict[str, str]:
    """Return the text of each generated file, by path below `deploy/monitoring`.

    They are for installations without the Prometheus operator.
    """
    groups = alerts.groups(plain_job, plain_runbook)
    return {"alerts.yaml": render([{"groups": groups}]), "dashboard.json": text()}
