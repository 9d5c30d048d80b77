"""What makes an operator ready and healthy, and its gauges."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from execution_operator.api import Organization
from execution_operator.core.reasons import Reason
from execution_operator.core.status.organization_status import render
from execution_operator.metrics import REGISTRY
from execution_operator.vitals import STANDSTILL, STREAM_SILENCE, WATCH_SILENCE, Gauges, Vitals, listen_to_loop
from tests.support.builders import execution, mapping, organization, probe
from tests.support.clock import run

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

    def vitals(self, *, leads: bool) -> Vitals:
        vitals = Vitals(self.organizations, self.watch)
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


def with_status(one: Organization, fault: Reason | None) -> Organization:
    index = mapping(one)
    index.probed(one.metadata.name, probe(one, fault))
    return one.model_copy(update={"status": render(one, index, AT)})


def test_the_gauges_say_what_is_there_when_they_are_asked() -> None:
    asked = [{"time": AT, "fieldsV1": {"f:spec": {"f:terminate": {}}}}]
    organizations = [
        with_status(organization("a"), None),
        with_status(organization("b"), Reason.TEMPORAL_REFUSED),
        organization("c"),
    ]
    gauges = Gauges(
        queue=lambda: iter([execution("stop", managed_fields=asked), execution()]),
        not_found=lambda: 3,
        phases=lambda: {"running": 5, "failed": 2},
        organizations=lambda: organizations,
        feed_age=lambda: 7.0,
        unread=lambda: 4,
    )
    gauges.refresh(datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    assert [value("open_requests", waits_for=of) for of in ("pending", "grace", "denied", "not_found")] == [1, 0, 0, 3]
    assert (value("oldest_request_age_seconds"), value("queue_length"), value("feed_age_seconds")) == (60, 2, 7)
    assert value("hints_unread") == 4
    assert [value("executions", phase=of) for of in ("running", "paused", "failed")] == [5, 0, 2]
    assert [value("organizations", ready=of) for of in ("True", "False", "Unknown")] == [1, 1, 1]
    replace(gauges, queue=lambda: iter(())).refresh(datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    assert value("oldest_request_age_seconds") == 0


def test_silence_is_shown_of_each_sign() -> None:
    replace(WELL, open=(Fake(42),)).vitals(leads=True).refresh()
    assert value("silence_seconds", of="watch of open Executions") == 42


def test_a_loop_that_is_late_is_measured() -> None:
    def late() -> float:
        return value("event_loop_lag_seconds_count") or 0

    before = late()

    async def main() -> None:
        task = asyncio.create_task(listen_to_loop())
        await asyncio.sleep(10.5)
        task.cancel()

    run(main())
    assert late() == before + 10
