"""The metrics. Labels have few values, and never the name of a tenant's object."""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector

from execution_operator.api import ConditionStatus, Execution, Phase
from execution_operator.core.status.events import outcome_of
from execution_operator.telemetry.backlog import RequestState, request_time
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


OUTCOMES = _counter("outcomes", "Events of Executions, by outcome and reason.", "outcome", "reason")
REQUEST_DURATION = _histogram(
    "request_duration",
    "Time from when the operator learns of a request until its answer is recorded; without grace periods.",
    "outcome",
    buckets=_LONG,
)
REQUEST_STAGE_DURATION = _histogram("request_stage_duration", "Durations of the stages of a request.", "stage")
REQUEST_AGE = _histogram(
    "request_end_to_end_duration",
    "Time from the request in managedFields (whole seconds, the API server's clock) until its answer is recorded.",
    "outcome",
    buckets=_WHOLE_SECONDS,
)
OPEN_REQUESTS = _gauge("open_requests", "Requests without a final answer, by what they wait for.", "state")
OLDEST_PENDING_REQUEST_AGE = _gauge(
    "oldest_pending_request_age_seconds", "Age of the oldest request in state pending; 0 if there is none."
)
FOUND_BY_RELIST = _counter(
    "requests_found_by_relist", "Requests that a relist found before the request stream delivered them."
)
RECONCILE_DURATION = _histogram(
    "reconcile_duration", "Duration of one reconcile, by whether the Execution had an unanswered request.", "request"
)
WORKQUEUE_DEPTH = _gauge("workqueue_depth", "Executions in the queue: waiting, running or delayed.")
EXECUTIONS = _gauge("executions", "Executions by phase, as this operator watches them.", "phase")
TEMPORAL_CALLS = _histogram(
    "temporal_request_duration", "Requests to Temporal, by method and gRPC status.", "method", "status"
)
VISIBILITY_POLL_FAILURES = _counter("visibility_poll_failures", "Polls of Temporal's visibility that failed.")
REREAD_FAILURES = _counter(
    "reread_failures", "Failed reads of Executions, from the API server, whose run seems to have changed."
)
REREADS_PENDING = _gauge(
    "rereads_pending", "Executions whose run seems to have changed, and that could not be read so far."
)
VISIBILITY_POLL_AGE = _gauge(
    "visibility_poll_age_seconds",
    "Time since the last successful poll of visibility, of the Temporal namespace where it is longest ago.",
)
CLOSE_DETECTION_DELAY = _histogram(
    "close_detection_delay",
    "Time from when a run closes, by Temporal's clock, until visibility polling detects it.",
    buckets=_LONG,
)
ORGANIZATIONS = _gauge("organizations", "Organizations by the status of their condition Ready.", "ready")
WATCH_FAILURES = _counter("watch_failures", "Failed watches of the API server, by resource.", "resource")
REQUEST_STREAM_RESTARTS = _counter("request_stream_restarts", "Restarts of the request stream.")
LAST_EVENT_AGE = _gauge(
    "last_event_age_seconds", "Time since the last event of a watch or of the request stream.", "source"
)
LOOP_LAG = _histogram("event_loop_lag", "Delay of timers of the event loop.")
LEADER = _gauge("leader", "1 on the leader, 0 on a standby.")
BUILD = _gauge("build_info", "Always 1.", "version")

for _stage in Stage:  # series with known labels are 0 from the start, not absent
    REQUEST_STAGE_DURATION.labels(_stage)
for _state in RequestState:
    OPEN_REQUESTS.labels(_state)
for _phase in Phase:
    EXECUTIONS.labels(_phase)
for _resource in ("executions", "organizations", "secrets"):
    WATCH_FAILURES.labels(_resource)
for _status in ConditionStatus:
    ORGANIZATIONS.labels(_status)


def count_event(execution: Execution, reason: str) -> None:
    """Count an Event of an Execution."""
    OUTCOMES.labels(outcome_of(execution, reason), reason).inc()


def observe_request(execution: Execution, timer: StageTimer) -> None:
    """Observe the duration of a request whose final answer has just been recorded."""
    termination, terminate = execution.status.termination, execution.spec.terminate
    if termination is None or not timer.has_request or (terminate is not None and terminate.grace_period_seconds):
        return  # most of its duration is the workflow's own
    outcome = str(termination.outcome)
    REQUEST_DURATION.labels(outcome).observe(timer.total)
    for stage, seconds in timer.stages:
        REQUEST_STAGE_DURATION.labels(stage).observe(seconds)
    if made := request_time(execution):
        REQUEST_AGE.labels(outcome).observe(_seconds_since(made))


def observe_close_detection(close_times: Iterable[datetime]) -> None:
    """Observe how late the closes of runs are detected."""
    for close_time in close_times:
        CLOSE_DETECTION_DELAY.observe(_seconds_since(close_time))


def _seconds_since(moment: datetime) -> float:
    """Return the seconds since a moment by another clock; 0 where that clock is ahead."""
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())
