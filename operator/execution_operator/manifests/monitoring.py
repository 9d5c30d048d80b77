"""What the Prometheus operator reads: where the metrics are, and what to be woken for."""

from typing import Any

from execution_operator.manifests.workload import PORT

Object = dict[str, Any]

COREOS = "monitoring.coreos.com/v1"


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


def rules(metadata: Object, job: Any) -> Object:
    """Return the PrometheusRule. `job` is the Service's name, as a matcher: `{job="execution-operator"}`."""
    alerts = [
        _alert(
            "ExecutionOperatorDown",
            expression="absent(up" + job + " == 1)",
            lasting="5m",
            severity="critical",
            summary="No replica of the operator answers: requests to terminate wait.",
        ),
        _alert(
            "ExecutionOperatorWithoutLeader",
            expression="sum(execution_operator_leader" + job + ") < 1",
            lasting="2m",
            severity="critical",
            summary="Replicas answer, but none leads: requests to terminate wait.",
        ),
        _alert(
            "ExecutionOperatorWithoutStandby",
            expression="count(up" + job + " == 1) < 2",
            lasting="30m",
            severity="warning",
            summary="One replica of the operator answers: if it ends, requests wait for a new pod.",
        ),
        _alert(
            "ExecutionOperatorBehind",
            expression="min_over_time(execution_operator_queue_length" + job + "[15m]) > 100",
            lasting="5m",
            severity="warning",
            summary="More than 100 Executions have been waiting for 15 minutes.",
        ),
        _alert(
            "ExecutionOperatorBlindToTemporal",
            expression="increase(execution_operator_feed_failures_total" + job + "[15m]) > 10",
            lasting="5m",
            severity="warning",
            summary="Looks at Temporal's visibility fail: workflows that others close show late.",
        ),
    ]
    groups = [{"name": "execution-operator", "rules": alerts}]
    return {"apiVersion": COREOS, "kind": "PrometheusRule", "metadata": metadata, "spec": {"groups": groups}}


def _alert(name: str, *, expression: Any, lasting: str, severity: str, summary: str) -> Object:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }
