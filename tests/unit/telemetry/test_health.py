"""Health checks."""

from dataclasses import dataclass, replace

import pytest

from execution_operator.telemetry.health import (
    MAX_PING_AGE_SECONDS,
    MAX_STREAM_EVENT_AGE_SECONDS,
    MAX_WATCH_EVENT_AGE_SECONDS,
    HealthChecks,
)
from execution_operator.telemetry.metrics import REGISTRY

AT = "2026-01-01T00:00:00Z"


@dataclass
class FakeComponent:
    """A watch, the request stream, and the controller of Organizations, in one."""

    seconds_since_last_event: float = 0.0
    listed: bool = True
    known: bool = True
    ping_age: float = 0.0

    def unanswered_ping_seconds(self) -> float:
        return self.ping_age


@dataclass
class Components:
    """The components of a leader."""

    organizations: FakeComponent
    watch: FakeComponent
    open: tuple[FakeComponent, ...]
    closed: tuple[FakeComponent, ...]
    stream: FakeComponent

    def checks(self, *, leads: bool) -> HealthChecks:
        checks = HealthChecks(self.organizations, self.watch)
        if leads:
            checks.start_leading(self.open, self.closed, self.stream)
        return checks


WATCHED = (FakeComponent(MAX_WATCH_EVENT_AGE_SECONDS), FakeComponent(9999, listed=False))
HEALTHY = Components(
    FakeComponent(),
    FakeComponent(MAX_WATCH_EVENT_AGE_SECONDS),
    WATCHED,
    WATCHED,
    FakeComponent(MAX_STREAM_EVENT_AGE_SECONDS),
)
FAULTS = [
    (replace(HEALTHY, organizations=FakeComponent(known=False)), "the Organizations are not listed yet"),
    (replace(HEALTHY, watch=FakeComponent(181)), "watch of Organizations: no event for 181 seconds"),
    (replace(HEALTHY, open=(FakeComponent(listed=False),)), "the open Executions are not listed yet"),
    (
        replace(HEALTHY, open=(FakeComponent(999), FakeComponent(1000))),
        "watch of open Executions: no event for 999 seconds",
    ),
    (replace(HEALTHY, closed=(FakeComponent(999),)), "watch of finished Executions: no event for 999 seconds"),
    (replace(HEALTHY, stream=FakeComponent(9999)), "stream of requests: no event for 9999 seconds"),
]
OF_LEADERS = FAULTS[2:]


def test_an_operator_is_ready_when_all_checks_pass() -> None:
    for leads in (False, True):
        assert (HEALTHY.checks(leads=leads).unready(), HEALTHY.checks(leads=leads).unhealthy()) == (None, None)


@pytest.mark.parametrize(("components", "failure"), FAULTS)
def test_a_failed_readiness_check_calls_for_no_restart(components: Components, failure: str) -> None:
    checks = components.checks(leads=True)
    assert (checks.unready(), checks.unhealthy()) == (failure, None)


@pytest.mark.parametrize(("components", "_"), OF_LEADERS)
def test_a_standby_has_fewer_checks(components: Components, _: str) -> None:
    assert components.checks(leads=False).unready() is None


def test_an_unanswered_ping_calls_for_a_restart() -> None:
    checks = replace(HEALTHY, stream=FakeComponent(ping_age=MAX_PING_AGE_SECONDS + 1)).checks(leads=True)
    assert checks.unhealthy() == checks.unready() == "event loop of the stream of requests: no event for 61 seconds"


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"execution_operator_{name}", labels)


def test_the_age_of_the_last_event_is_a_gauge() -> None:
    replace(HEALTHY, open=(FakeComponent(42),)).checks(leads=True).refresh()
    assert value("last_event_age_seconds", source="watch of open Executions") == 42
