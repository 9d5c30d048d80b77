"""The alerts, as data: an expression, a limit and a summary. docs/runbooks.md has a runbook for each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

JOB = "$job"
"""Placeholder in expressions for the label matchers of the operator's job."""

PAGE, TICKET = "critical", "warning"


@dataclass(frozen=True)
class Alert:
    """One alert.

    Attributes:
        name: The name of the alert and the heading of its runbook.
        measured: The measured value, in PromQL.
        limit: The comparison that fires the alert.
        lasting: The time for which the comparison must be true.
        severity: PAGE where terminations are delayed, TICKET where they may soon be.
        summary: The meaning, for the person on call.
    """

    name: str
    measured: str
    limit: str
    lasting: str
    severity: str
    summary: str

    @property
    def expression(self) -> str:
        """The expression of the rule."""
        return f"{self.measured} {self.limit}".strip()


ALERTS = (
    Alert(
        "ExecutionOperatorDown",
        f"absent(up{{{JOB}}} == 1)",
        "",
        "5m",
        PAGE,
        "No replica of the operator answers. Termination requests are delayed.",
    ),
    Alert(
        "ExecutionOperatorNoLeader",
        f"sum(execution_operator_leader{{{JOB}}})",
        "< 1",
        "2m",
        PAGE,
        "No replica of the operator is the leader. Termination requests are delayed.",
    ),
    Alert(
        "ExecutionOperatorRequestsDelayed",
        f"max(execution_operator_oldest_pending_request_age_seconds{{{JOB}}})",
        "> 120",
        "2m",
        PAGE,
        "A termination request that should be answered within seconds has been pending for minutes.",
    ),
    Alert(
        "ExecutionOperatorNoStandby",
        f"count(up{{{JOB}}} == 1)",
        "< 2",
        "30m",
        TICKET,
        "Only one replica of the operator answers. If it ends, requests are delayed until a new pod is ready.",
    ),
    Alert(
        "ExecutionOperatorRequestsSlow",
        "histogram_quantile(0.99, sum by (le) "
        f"(rate(execution_operator_request_duration_seconds_bucket{{{JOB}}}[15m])))",
        "> 5",
        "10m",
        TICKET,
        "One termination request in a hundred takes more than five seconds.",
    ),
    Alert(
        "ExecutionOperatorTemporalErrors",
        f'sum(rate(execution_operator_temporal_request_duration_seconds_count{{{JOB},status!~"OK|NOT_FOUND"}}[10m]))'
        f" / sum(rate(execution_operator_temporal_request_duration_seconds_count{{{JOB}}}[10m]))",
        "> 0.1",
        "5m",
        TICKET,
        "More than a tenth of the calls to Temporal fail.",
    ),
    Alert(
        "ExecutionOperatorVisibilityPollStale",
        f"max(execution_operator_visibility_poll_age_seconds{{{JOB}}})",
        "> 300",
        "5m",
        TICKET,
        "Polls of Temporal's visibility fail. Workflows that close without a request are detected late.",
    ),
    Alert(
        "ExecutionOperatorWatchStale",
        f'max(execution_operator_last_event_age_seconds{{{JOB},source=~"watch.*"}})',
        "> 180",
        "5m",
        TICKET,
        "A watch of the API server had no event for minutes. Changes are detected late.",
    ),
    Alert(
        "ExecutionOperatorRequestsFoundByRelist",
        f"sum(increase(execution_operator_requests_found_by_relist_total{{{JOB}}}[1h]))",
        "> 0",
        "0m",
        TICKET,
        "The relist of each minute found termination requests that the request stream did not deliver.",
    ),
    Alert(
        "ExecutionOperatorOrganizationNotReady",
        f'max(execution_operator_organizations{{{JOB},ready="False"}})',
        "> 0",
        "15m",
        TICKET,
        "An Organization is not ready until somebody corrects it. Its Executions are denied.",
    ),
)


def groups(fill: Callable[[str], Any], runbook: Callable[[str], Any]) -> list[Object]:
    """Return the rule groups.

    Args:
        fill: Replaces JOB by the label matchers of an installation.
        runbook: Returns the URL of the runbook with this anchor.
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
