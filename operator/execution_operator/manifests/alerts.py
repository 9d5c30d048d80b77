"""The alerts, as data: what is measured, when that is too much, what it means. What to do: docs/runbooks.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

JOB = "$job"
"""Stands in expressions for the matchers by which the operator is told from what else Prometheus knows."""

PAGE, TICKET = "critical", "warning"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        name: Also the heading of its runbook.
        measured: PromQL.
        limit: The comparison that makes it an alert.
        lasting: How long it must hold.
        severity: PAGE where terminations are in danger, TICKET where they will be.
        summary: What it means, for whoever is woken.
    """

    name: str
    measured: str
    limit: str
    lasting: str
    severity: str
    summary: str

    @property
    def expression(self) -> str:
        """The rule's expression."""
        return f"{self.measured} {self.limit}".strip()


ALERTS = (
    Alert(
        "ExecutionOperatorDown",
        f"absent(up{{{JOB}}} == 1)",
        "",
        "5m",
        PAGE,
        "No replica of the operator answers: requests to terminate wait.",
    ),
    Alert(
        "ExecutionOperatorWithoutLeader",
        f"sum(execution_operator_leader{{{JOB}}})",
        "< 1",
        "2m",
        PAGE,
        "Replicas answer, but none leads: requests to terminate wait.",
    ),
    Alert(
        "ExecutionOperatorRequestsWait",
        f"max(execution_operator_oldest_pending_request_age_seconds{{{JOB}}})",
        "> 120",
        "2m",
        PAGE,
        "A request to terminate that should be answered within seconds has waited for minutes.",
    ),
    Alert(
        "ExecutionOperatorWithoutStandby",
        f"count(up{{{JOB}}} == 1)",
        "< 2",
        "30m",
        TICKET,
        "One replica of the operator answers: if it ends, requests wait for a new pod.",
    ),
    Alert(
        "ExecutionOperatorSlow",
        "histogram_quantile(0.99, sum by (le) "
        f"(rate(execution_operator_request_duration_seconds_bucket{{{JOB}}}[15m])))",
        "> 5",
        "10m",
        TICKET,
        "One request in a hundred takes more than five seconds to be carried out and recorded.",
    ),
    Alert(
        "ExecutionOperatorTemporalFails",
        f'sum(rate(execution_operator_temporal_request_duration_seconds_count{{{JOB},status!~"OK|NOT_FOUND"}}[10m]))'
        f" / sum(rate(execution_operator_temporal_request_duration_seconds_count{{{JOB}}}[10m]))",
        "> 0.1",
        "5m",
        TICKET,
        "More than a tenth of the calls to Temporal fail.",
    ),
    Alert(
        "ExecutionOperatorBlindToTemporal",
        f"max(execution_operator_visibility_poll_age_seconds{{{JOB}}})",
        "> 300",
        "5m",
        TICKET,
        "Looks at Temporal's visibility fail: workflows that others close show late.",
    ),
    Alert(
        "ExecutionOperatorWatchSilent",
        f'max(execution_operator_last_event_age_seconds{{{JOB},of=~"watch.*"}})',
        "> 180",
        "5m",
        TICKET,
        "A watch of the API server has been silent for minutes: what changes there shows late.",
    ),
    Alert(
        "ExecutionOperatorMissesRequests",
        f"sum(increase(execution_operator_requests_found_by_relist_total{{{JOB}}}[1h]))",
        "> 0",
        "0m",
        TICKET,
        "Requests were found by the sweep of each minute only: their stream does not bring them.",
    ),
    Alert(
        "ExecutionOperatorOrganizationNotReady",
        f'max(execution_operator_organizations{{{JOB},ready="False"}})',
        "> 0",
        "15m",
        TICKET,
        "An Organization waits for a human: its Executions are denied.",
    ),
)


def groups(fill: Callable[[str], Any], runbook: Callable[[str], Any]) -> list[Object]:
    """Return the rule groups.

    Args:
        fill: Puts an installation's matchers in JOB's place.
        runbook: Gives the address of the runbook with an anchor.
    """
    rules = [
        {
            "alert": alert.name,
            "expr": fill(alert.expression),
            "for": alert.lasting,
            "labels": {"severity": alert.severity},
            "annotations": {"summary": alert.summary, "runbook_url": runbook(alert.name.lower())},
        }
        for alert in ALERTS
    ]
    return [{"name": "execution-operator", "rules": rules}]
