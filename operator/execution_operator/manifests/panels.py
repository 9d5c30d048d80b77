"""What the Grafana dashboard shows, as data: rows of panels, each with its queries."""

from dataclasses import dataclass

from execution_operator.manifests.alerts import JOB

OURS = f"{{{JOB}}}"
RATE = "[$__rate_interval]"
SECONDS, PER_SECOND, NUMBER, BYTES = "s", "ops", "short", "bytes"


@dataclass(frozen=True)
class Query:
    """PromQL, and what its lines are called: `{{label}}` stands for a label's value."""

    expression: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One diagram.

    Attributes:
        title: What it shows.
        unit: Of Grafana.
        queries: Its lines.
        what: More about it, for whoever asks.
        kind: timeseries, or stat for one number.
        width: In columns of which a row has 24.
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
        "Requests to terminate",
        (
            _number("Leaders", NUMBER, f"sum(execution_operator_leader{OURS})"),
            _number("Oldest request", SECONDS, f"max(execution_operator_oldest_pending_request_age_seconds{OURS})"),
            _number("Organizations not ready", NUMBER, f'max(execution_operator_organizations{{{JOB},ready!="True"}})'),
            _number(
                "Missed by the stream, 24 h",
                NUMBER,
                f"sum(increase(execution_operator_requests_found_by_relist_total{OURS}[24h]))",
            ),
            _one(
                "Tellings",
                PER_SECOND,
                _rate("outcomes_total", "outcome", "reason"),
                "{{outcome}}: {{reason}}",
                "What Executions were told. `unasked`: no termination was asked for.",
            ),
            _quantiles(
                "From request to record",
                "request_duration_seconds",
                "From the operator's knowledge of a request to the record of its answer, by its own clock.",
            ),
            Panel(
                "Stages of a request, mean",
                SECONDS,
                (
                    Query(
                        f"{_rate('request_stage_duration_seconds_sum', 'stage')}"
                        f" / {_rate('request_stage_duration_seconds_count', 'stage')}",
                        "{{stage}}",
                    ),
                ),
                "Each from the end of the one before.",
            ),
            _one(
                "Requests without a final answer",
                NUMBER,
                f"sum by (waits_for) (execution_operator_open_requests{OURS})",
                "{{waits_for}}",
                "`denied` and `not_found` wait for a human, `grace` for the workflow.",
            ),
            _quantiles(
                "Age at the record",
                "request_end_to_end_duration_seconds",
                "From the request's time in managedFields, in whole seconds: two clocks, so up to a second too much.",
            ),
            _one("Queue", NUMBER, f"sum(execution_operator_workqueue_depth{OURS})", "worked on, or waiting"),
        ),
    ),
    (
        "Executions",
        (
            _one("By phase", NUMBER, f"sum by (phase) (execution_operator_executions{OURS})", "{{phase}}"),
            _one(
                "Passes",
                PER_SECOND,
                _rate("reconcile_duration_seconds_count", "request"),
                "request waits: {{request}}",
            ),
            _quantiles(
                "Closings by others, until noticed",
                "close_detection_delay_seconds",
                "From Temporal's close time to the feed's notice: two clocks.",
            ),
        ),
    ),
    (
        "Temporal",
        (
            _one("Calls", PER_SECOND, _rate("temporal_request_duration_seconds_count", "method"), "{{method}}"),
            _one(
                "Calls that were not OK",
                PER_SECOND,
                _rate("temporal_request_duration_seconds_count", "method", "status", where=f'{JOB},status!="OK"'),
                "{{method}}: {{status}}",
                "NOT_FOUND is an answer like any other.",
            ),
            _one(
                "Calls, 99 %",
                SECONDS,
                f"histogram_quantile(0.99, {_rate('temporal_request_duration_seconds_bucket', 'le', 'method')})",
                "{{method}}",
            ),
            _one(
                "Age of the feeds' last look",
                SECONDS,
                f"max(execution_operator_visibility_poll_age_seconds{OURS})",
                "oldest",
            ),
            _one(
                "Looks that failed",
                PER_SECOND,
                f"sum(rate(execution_operator_visibility_poll_failures_total{OURS}{RATE}))",
                "failed",
            ),
        ),
    ),
    (
        "The operator",
        (
            _one("Silence", SECONDS, f"max by (of) (execution_operator_last_event_age_seconds{OURS})", "{{of}}"),
            Panel(
                "What broke and began again",
                PER_SECOND,
                (
                    Query(_rate("watch_failures_total", "resource"), "watch of {{resource}}"),
                    Query(
                        f"sum(rate(execution_operator_request_stream_restarts_total{OURS}{RATE}))", "stream of requests"
                    ),
                ),
            ),
            _quantiles("Event loop, how late", "event_loop_lag_seconds"),
            _one("Memory", BYTES, f"process_resident_memory_bytes{OURS}", "{{instance}}"),
            _one("CPU", NUMBER, f"rate(process_cpu_seconds_total{OURS}{RATE})", "{{instance}}"),
            _one("Replicas", NUMBER, f"sum by (version) (execution_operator_build_info{OURS})", "{{version}}"),
        ),
    ),
)
