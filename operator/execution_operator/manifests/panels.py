"""The rows and panels of the Grafana dashboard, as data."""

from dataclasses import dataclass

from execution_operator.manifests.alerts import JOB

OURS = f"{{{JOB}}}"
RATE = "[$__rate_interval]"
SECONDS, PER_SECOND, NUMBER, BYTES = "s", "ops", "short", "bytes"


@dataclass(frozen=True)
class Query:
    """A PromQL expression and the legend of its lines. `{{label}}` in a legend is replaced by the label's value."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: The title.
        unit: A unit of Grafana.
        queries: The queries.
        what: The description, shown on demand.
        kind: `timeseries`, or `stat` for one number.
        width: Number of columns; a row has 24.
    """

    title: str
    unit: str
    queries: tuple[Query, ...]
    what: str = ""
    kind: str = "timeseries"
    width: int = 8


def _number(title: str, unit: str, expression: str) -> Panel:
    return Panel(title, unit, (Query(expression, title),), kind="stat", width=6)


def _one(title: str, unit: str, expression: str, legend: str, what: str = "") -> Panel:
    return Panel(title, unit, (Query(expression, legend),), what)


def _rate(metric: str, *by: str, where: str = JOB) -> str:
    return f"sum by ({', '.join(by)}) (rate(execution_operator_{metric}{{{where}}}{RATE}))"


def _quantiles(title: str, metric: str, what: str = "", *shares: float) -> Panel:
    buckets = _rate(f"{metric}_bucket", "le")
    shares = shares or (0.5, 0.9, 0.99)
    queries = tuple(Query(f"histogram_quantile({share}, {buckets})", f"{share:.0%}") for share in shares)
    return Panel(title, SECONDS, queries, what)


ROWS: tuple[tuple[str, tuple[Panel, ...]], ...] = (
    (
        "Termination requests",
        (
            _number("Leaders", NUMBER, f"sum(execution_operator_leader{OURS})"),
            _number(
                "Oldest pending request", SECONDS, f"max(execution_operator_oldest_pending_request_age_seconds{OURS})"
            ),
            _number("Organizations not ready", NUMBER, f'max(execution_operator_organizations{{{JOB},ready!="True"}})'),
            _number(
                "Requests found by a relist, 24 h",
                NUMBER,
                f"sum(increase(execution_operator_requests_found_by_relist_total{OURS}[24h]))",
            ),
            _one(
                "Events by outcome",
                PER_SECOND,
                _rate("outcomes_total", "outcome", "reason"),
                "{{outcome}}: {{reason}}",
                "Events of Executions. `NotRequested`: no termination was requested.",
            ),
            _quantiles(
                "Request duration",
                "request_duration_seconds",
                "Time from when the operator learns of a request until its answer is recorded.",
            ),
            Panel(
                "Mean duration of each request stage",
                SECONDS,
                (
                    Query(
                        f"{_rate('request_stage_duration_seconds_sum', 'stage')}"
                        f" / {_rate('request_stage_duration_seconds_count', 'stage')}",
                        "{{stage}}",
                    ),
                ),
                "Each stage is measured from the end of the stage before.",
            ),
            _one(
                "Requests without a final answer",
                NUMBER,
                f"sum by (state) (execution_operator_open_requests{OURS})",
                "{{state}}",
                "Requests in state `denied` or `not_found` wait for a human, those in `grace_period` for the workflow.",
            ),
            _quantiles(
                "End-to-end request duration",
                "request_end_to_end_duration_seconds",
                "Time from the request in managedFields until its answer is recorded. The start is in whole seconds,"
                " so a value can be up to one second too long.",
            ),
            _one("Queue depth", NUMBER, f"sum(execution_operator_workqueue_depth{OURS})", "Executions"),
        ),
    ),
    (
        "Executions",
        (
            _one("By phase", NUMBER, f"sum by (phase) (execution_operator_executions{OURS})", "{{phase}}"),
            _one(
                "Reconciles",
                PER_SECOND,
                _rate("reconcile_duration_seconds_count", "request"),
                "with a request: {{request}}",
            ),
            _quantiles(
                "Close detection delay",
                "close_detection_delay_seconds",
                "Time from Temporal's close time until visibility polling detects it. Two clocks are compared.",
            ),
        ),
    ),
    (
        "Temporal",
        (
            _one("Calls", PER_SECOND, _rate("temporal_request_duration_seconds_count", "method"), "{{method}}"),
            _one(
                "Calls with another status than OK",
                PER_SECOND,
                _rate("temporal_request_duration_seconds_count", "method", "status", where=f'{JOB},status!="OK"'),
                "{{method}}: {{status}}",
                "NOT_FOUND is a regular answer.",
            ),
            _one(
                "Call duration, 99 %",
                SECONDS,
                f"histogram_quantile(0.99, {_rate('temporal_request_duration_seconds_bucket', 'le', 'method')})",
                "{{method}}",
            ),
            _one(
                "Time since the last visibility poll",
                SECONDS,
                f"max(execution_operator_visibility_poll_age_seconds{OURS})",
                "oldest",
            ),
            _one(
                "Failed visibility polls and rereads",
                PER_SECOND,
                f"sum(rate(execution_operator_visibility_poll_failures_total{OURS}{RATE}))"
                f" + sum(rate(execution_operator_reread_failures_total{OURS}{RATE}))",
                "failed",
            ),
        ),
    ),
    (
        "The operator",
        (
            _one(
                "Time since the last event",
                SECONDS,
                f"max by (source) (execution_operator_last_event_age_seconds{OURS})",
                "{{source}}",
            ),
            Panel(
                "Restarted watches and streams",
                PER_SECOND,
                (
                    Query(_rate("watch_failures_total", "resource"), "watch of {{resource}}"),
                    Query(
                        f"sum(rate(execution_operator_request_stream_restarts_total{OURS}{RATE}))", "stream of requests"
                    ),
                ),
            ),
            _quantiles("Event loop lag", "event_loop_lag_seconds"),
            _one("Memory", BYTES, f"process_resident_memory_bytes{OURS}", "{{instance}}"),
            _one("CPU", NUMBER, f"rate(process_cpu_seconds_total{OURS}{RATE})", "{{instance}}"),
            _one("Replicas", NUMBER, f"sum by (version) (execution_operator_build_info{OURS})", "{{version}}"),
        ),
    ),
)
