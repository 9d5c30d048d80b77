"""What makes an operator ready and healthy, and its gauges."""

from dataclasses import dataclass, replace

import pytest

from execution_operator.telemetry.health import STANDSTILL, STREAM_SILENCE, WATCH_SILENCE, HealthChecks
from execution_operator.telemetry.metrics import REGISTRY

AT = "2026-01-01T00:00:00Z"


@dataclass
class Fake:
    """A watch, the stream of requests, and the Organizations, all in one."""

    silence: float = 0.0
    listed: bool = True
    known: bool = True
    owed: float = 0.0

    def standstill(self) -> float:
        return self.owed


@dataclass
class Parts:
    """What an operator that leads has."""

    organizations: Fake
    watch: Fake
    open: tuple[Fake, ...]
    closed: tuple[Fake, ...]
    stream: Fake

    def vitals(self, *, leads: bool) -> HealthChecks:
        vitals = HealthChecks(self.organizations, self.watch)
        if leads:
            vitals.lead(self.open, self.closed, self.stream)
        return vitals


WATCHED = (Fake(WATCH_SILENCE), Fake(9999, listed=False))
WELL = Parts(Fake(), Fake(WATCH_SILENCE), WATCHED, WATCHED, Fake(STREAM_SILENCE))
FAULTS = [
    (replace(WELL, organizations=Fake(known=False)), "the Organizations are not known yet"),
    (replace(WELL, watch=Fake(181)), "watch of Organizations: silent for 181 s"),
    (replace(WELL, open=(Fake(listed=False),)), "the open Executions are not known yet"),
    (replace(WELL, open=(Fake(999), Fake(1000))), "watch of open Executions: silent for 999 s"),
    (replace(WELL, closed=(Fake(999),)), "watch of finished Executions: silent for 999 s"),
    (replace(WELL, stream=Fake(9999)), "stream of requests: silent for 9999 s"),
]
OF_LEADERS = FAULTS[2:]


def test_who_has_all_that_it_needs_is_ready() -> None:
    for leads in (False, True):
        assert (WELL.vitals(leads=leads).unready(), WELL.vitals(leads=leads).unhealthy()) == (None, None)


@pytest.mark.parametrize(("parts", "complaint"), FAULTS)
def test_who_lacks_something_is_not_ready_but_needs_no_restart(parts: Parts, complaint: str) -> None:
    vitals = parts.vitals(leads=True)
    assert (vitals.unready(), vitals.unhealthy()) == (complaint, None)


@pytest.mark.parametrize(("parts", "_"), OF_LEADERS)
def test_who_stands_by_needs_less(parts: Parts, _: str) -> None:
    assert parts.vitals(leads=False).unready() is None


def test_a_loop_that_stands_still_calls_for_a_restart() -> None:
    vitals = replace(WELL, stream=Fake(owed=STANDSTILL + 1)).vitals(leads=True)
    assert vitals.unhealthy() == vitals.unready() == "event loop of the stream of requests: silent for 61 s"


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"execution_operator_{name}", labels)


def test_silence_is_shown_of_each_sign() -> None:
    replace(WELL, open=(Fake(42),)).vitals(leads=True).refresh()
    assert value("last_event_age_seconds", of="watch of open Executions") == 42
