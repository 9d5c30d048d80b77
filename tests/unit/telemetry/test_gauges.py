"""Gauges, and the lag of the event loop."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from execution_operator.api import Organization
from execution_operator.core.reasons import Reason
from execution_operator.core.status.organization_status import render
from execution_operator.telemetry.gauges import Gauges, measure_loop_lag
from execution_operator.telemetry.metrics import REGISTRY
from tests.support.builders import execution, mapping, organization, probe
from tests.support.clock import run

AT = "2026-01-01T00:00:00Z"


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"execution_operator_{name}", labels)


def with_status(one: Organization, fault: Reason | None) -> Organization:
    index = mapping(one)
    index.record_probe(one.metadata.name, probe(one, fault))
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
        missing_workflows=lambda: 3,
        phases=lambda: {"running": 5, "failed": 2},
        organizations=lambda: organizations,
        visibility_poll_age=lambda: 7.0,
        failed_rereads=lambda: 4,
    )
    gauges.refresh(datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    assert [value("open_requests", state=of) for of in ("pending", "grace_period", "denied", "not_found")] == [
        1,
        0,
        0,
        3,
    ]
    assert (
        value("oldest_pending_request_age_seconds"),
        value("workqueue_depth"),
        value("visibility_poll_age_seconds"),
    ) == (60, 2, 7)
    assert value("rereads_pending") == 4
    assert [value("executions", phase=of) for of in ("running", "paused", "failed")] == [5, 0, 2]
    assert [value("organizations", ready=of) for of in ("True", "False", "Unknown")] == [1, 1, 1]
    replace(gauges, queue=lambda: iter(())).refresh(datetime(2026, 1, 1, 0, 1, tzinfo=UTC))
    assert value("oldest_pending_request_age_seconds") == 0


def test_a_loop_that_is_late_is_measured() -> None:
    def late() -> float:
        return value("event_loop_lag_seconds_count") or 0

    before = late()

    async def main() -> None:
        task = asyncio.create_task(measure_loop_lag())
        await asyncio.sleep(10.5)
        task.cancel()

    run(main())
    assert late() == before + 10
