"""What Prometheus reads. Labels are few and of few values: never a name of a tenant's object."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from execution_operator.api import ConditionStatus, Execution, Phase
from execution_operator.core.status.events import outcome_of
from execution_operator.telemetry.backlog import RequestState, asked_at
from execution_operator.telemetry.stage_timer import Stage, StageTimer

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_WHOLE_SECONDS = (1, 2, 3, 5, 10, 30, 60, 300, 1800)


def _counter(name: str, what: str, *labels: str) -> Counter:
    return Counter(f"execution_operator_{name}", what, labels, registry=REGISTRY)


def _gauge(name: str, what: str, *labels: str) -> Gauge:
    return Gauge(f"execution_operator_{name}", what, labels, registry=REGISTRY)


def _histogram(name: str, what: str, *labels: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
    return Histogram(f"execution_operator_{name}_seconds", what, labels, buckets=buckets, registry=REGISTRY)


OUTCOMES = _counter("outcomes", "What Executions were told, by outcome and reason.", "outcome", "reason")
REQUEST_DURATION = _histogram(
    "request_duration",
    "From a request that the operator gets to know to the record of its answer, by outcome; without grace periods.",
    "outcome",
    buckets=_LONG,
)
REQUEST_STAGE_DURATION = _histogram(
    "request_stage_duration", "The parts of the request's duration, by what ends each.", "stage"
)
REQUEST_AGE = _histogram(
    "request_end_to_end_duration",
    "From the request's time in managedFields, cut to seconds, to the record of its answer: two clocks.",
    "outcome",
    buckets=_WHOLE_SECONDS,
)
OPEN_REQUESTS = _gauge("open_requests", "Requests without a final answer, by what they wait for.", "waits_for")
OLDEST_PENDING_REQUEST_AGE = _gauge(
    "oldest_pending_request_age_seconds", "Age of the oldest request that should be answered soon; 0: none."
)
FOUND_BY_RELIST = _counter(
    "requests_found_by_relist", "Requests that a sweep found and that their stream had not brought."
)
RECONCILE_DURATION = _histogram(
    "reconcile_duration", "One pass over an Execution, by whether a request waited.", "request"
)
WORKQUEUE_DEPTH = _gauge("workqueue_depth", "Executions that are worked on, or wait for it.")
EXECUTIONS = _gauge("executions", "Executions by phase, as this operator's watches have them.", "phase")
TEMPORAL_CALLS = _histogram(
    "temporal_request_duration", "Requests to Temporal, by method and gRPC status.", "method", "status"
)
VISIBILITY_POLL_FAILURES = _counter(
    "visibility_poll_failures",
    "Looks of a feed at Temporal's visibility, and readings of what they hint at, that failed.",
)
REREADS_PENDING = _gauge(
    "rereads_pending", "Executions whose workflow seems to have changed, and that could not be read yet."
)
VISIBILITY_POLL_AGE = _gauge(
    "visibility_poll_age_seconds", "Age of the last look that succeeded, of the feed where that is longest ago."
)
CLOSE_DETECTION_DELAY = _histogram(
    "close_detection_delay",
    "From a closing that others caused, by Temporal's clock, to its notice by a feed.",
    buckets=_LONG,
)
ORGANIZATIONS = _gauge("organizations", "Organizations by their condition Ready.", "ready")
WATCH_FAILURES = _counter("watch_failures", "Watches of the API server that broke, by resource.", "resource")
REQUEST_STREAM_RESTARTS = _counter(
    "request_stream_restarts", "Times that the stream of requests ended, and began again."
)
LAST_EVENT_AGE = _gauge(
    "last_event_age_seconds", "How long a watch, or the stream of requests, has shown no life.", "of"
)
LOOP_LAG = _histogram("event_loop_lag", "How late the event loop came to a timer.")
LEADER = _gauge("leader", "1 while this operator works on Executions, 0 while it stands by.")
BUILD = _gauge("build_info", "Always 1.", "version")

for _stage in Stage:  # what is there from the start is 0, and not absent
    REQUEST_STAGE_DURATION.labels(_stage)
for _standing in RequestState:
    OPEN_REQUESTS.labels(_standing)
for _phase in Phase:
    EXECUTIONS.labels(_phase)
for _resource in ("executions", "organizations", "secrets"):
    WATCH_FAILURES.labels(_resource)
for _status in ConditionStatus:
    ORGANIZATIONS.labels(_status)


def count(execution: Execution, reason: str) -> None:
    """Count what an Execution is told."""
    OUTCOMES.labels(outcome_of(execution, reason), reason).inc()


def answered(execution: Execution, timer: StageTimer) -> None:
    """Note how long a request took that has just been answered for good."""
    termination, terminate = execution.status.termination, execution.spec.terminate
    if termination is None or not timer.asked or (terminate is not None and terminate.grace_period_seconds):
        return  # the time of a grace period is the workflow's
    outcome = str(termination.outcome)
    REQUEST_DURATION.labels(outcome).observe(timer.total)
    for stage, seconds in timer.stages:
        REQUEST_STAGE_DURATION.labels(stage).observe(seconds)
    if asked := asked_at(execution):
        REQUEST_AGE.labels(outcome).observe(_since(asked))


def noticed(closings: Iterable[datetime]) -> None:
    """Note how late a feed notices closings."""
    for at in closings:
        CLOSE_DETECTION_DELAY.observe(_since(at))


def _since(moment: datetime) -> float:
    """Return the seconds since a moment of another clock, which may be ahead of ours."""
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
