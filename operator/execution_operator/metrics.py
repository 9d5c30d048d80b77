"""What Prometheus reads. Labels are few and of few values: never a name of a tenant's object."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

OUTCOMES = Counter(
    "execution_operator_outcomes",
    "What Executions were told, by reason: Terminated, AlreadyClosed, NamespaceNotMapped, TemporalUnavailable, ...",
    ["reason"],
    registry=REGISTRY,
)
PASSES = Histogram(
    "execution_operator_pass_duration_seconds",
    "One pass over an Execution, by whether a request waited for its answer.",
    ["request"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
TEMPORAL_CALLS = Histogram(
    "execution_operator_temporal_request_duration_seconds",
    "Requests to Temporal, by method and gRPC status.",
    ["method", "status"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
FEED_FAILURES = Counter(
    "execution_operator_feed_failures", "Looks of a feed at Temporal's visibility that failed.", registry=REGISTRY
)
WAITING = Gauge("execution_operator_queue_length", "Executions that are worked on, or wait for it.", registry=REGISTRY)
OPEN = Gauge("execution_operator_open_executions", "Executions whose pinned run is open.", registry=REGISTRY)
LEADER = Gauge(
    "execution_operator_leader", "1 while this operator works on Executions, 0 while it stands by.", registry=REGISTRY
)
BUILD = Gauge("execution_operator_build_info", "Always 1.", ["version"], registry=REGISTRY)
