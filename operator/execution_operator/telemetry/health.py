"""Health checks: whether the operator is ready (/readyz) and alive (/healthz). They are evaluated on request."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from execution_operator.telemetry.metrics import LAST_EVENT_AGE

MAX_WATCH_EVENT_AGE_SECONDS = 180.0
"""Seconds without an event of a watch after which the operator is not ready. A silent watch is restarted after 90."""

MAX_STREAM_EVENT_AGE_SECONDS = 900.0
"""Seconds without an event of the request stream after which the operator is not ready. An idle stream asks for
credentials every few minutes, which counts as an event.
"""

MAX_PING_AGE_SECONDS = 60.0
"""Seconds for which the event loop of the request stream may leave a ping unanswered. Then the process is restarted."""


@dataclass(frozen=True)
class Check:
    """A limit on an age.

    Attributes:
        source: What is checked, for people and as the label `source`.
        age_seconds: Returns the seconds since its last event.
        max_age_seconds: The limit.
    """

    source: str
    age_seconds: Callable[[], float]
    max_age_seconds: float

    def failure(self) -> str | None:
        """Return why the check fails; None where it passes."""
        age = self.age_seconds()
        return f"{self.source}: no event for {age:.0f} seconds" if age > self.max_age_seconds else None


class Organizations(Protocol):
    """The controller of Organizations."""

    @property
    def known(self) -> bool:
        """Whether all Organizations are listed."""


class Watch(Protocol):
    """A watch of the API server."""

    listed: bool
    """Whether its first list is complete."""

    @property
    def seconds_since_last_event(self) -> float:
        """Seconds since the API server last sent something."""


class RequestStream(Protocol):
    """The stream of requests, in a thread with an event loop of its own."""

    @property
    def seconds_since_last_event(self) -> float:
        """Seconds since its last event."""

    def unanswered_ping_seconds(self) -> float:
        """Return the age of the unanswered ping to its event loop."""


class HealthChecks:
    """The health checks of one process. A standby has fewer than a leader.

    Args:
        organizations: The controller of Organizations.
        organization_watch: The watch of Organizations.
    """

    def __init__(self, organizations: Organizations, organization_watch: Watch) -> None:
        self._lists: dict[str, Callable[[], bool]] = {"Organizations": lambda: organizations.known}
        self._readiness = [
            Check(
                "watch of Organizations",
                lambda: organization_watch.seconds_since_last_event,
                MAX_WATCH_EVENT_AGE_SECONDS,
            )
        ]
        self._liveness: list[Check] = []

    def start_leading(
        self, open_watches: Sequence[Watch], finished_watches: Sequence[Watch], requests: RequestStream
    ) -> None:
        """Add the checks of a leader.

        Among the watches of several namespaces the most recent event counts: a namespace that can't be read must not
        make the operator unready for the others.
        """
        self._lists["open Executions"] = lambda: any(watch.listed for watch in open_watches)
        self._readiness += [
            Check("watch of open Executions", lambda: _last_event_age(open_watches), MAX_WATCH_EVENT_AGE_SECONDS),
            Check(
                "watch of finished Executions", lambda: _last_event_age(finished_watches), MAX_WATCH_EVENT_AGE_SECONDS
            ),
            Check("stream of requests", lambda: requests.seconds_since_last_event, MAX_STREAM_EVENT_AGE_SECONDS),
        ]
        self._liveness = [
            Check("event loop of the stream of requests", requests.unanswered_ping_seconds, MAX_PING_AGE_SECONDS)
        ]

    def unready(self) -> str | None:
        """Return why the operator is not ready, though a restart would not help; None where it is ready."""
        unlisted = (f"the {what} are not listed yet" for what, is_listed in self._lists.items() if not is_listed())
        return next(unlisted, None) or _first_failure(self._readiness) or self.unhealthy()

    def unhealthy(self) -> str | None:
        """Return why the process must be restarted; None where it is healthy."""
        return _first_failure(self._liveness)

    def refresh(self) -> None:
        """Set the gauges of the ages."""
        for check in self._readiness:
            LAST_EVENT_AGE.labels(check.source).set(check.age_seconds())


def _last_event_age(watches: Iterable[Watch]) -> float:
    return min(watch.seconds_since_last_event for watch in watches)


def _first_failure(checks: Iterable[Check]) -> str | None:
    return next((failure for check in checks if (failure := check.failure())), None)
