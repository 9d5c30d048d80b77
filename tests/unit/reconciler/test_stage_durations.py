"""The measured durations of a request's stages."""

from execution_operator.core.workflow.state import is_answered
from execution_operator.telemetry.metrics import REQUEST_DURATION, REQUEST_STAGE_DURATION
from tests.support.builders import execution
from tests.support.fake_temporal import Fault
from tests.unit.reconciler.harness import Harness, with_request


def measured() -> dict[str, float]:
    """Return how many laps were taken of each stage, and how many requests were measured."""
    return {
        sample.labels.get("stage") or sample.labels["outcome"]: sample.value
        for metric in (REQUEST_STAGE_DURATION, REQUEST_DURATION)
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_count")
    }


def counted(before: dict[str, float]) -> set[str]:
    return {name for name, count in measured().items() if count > before.get(name, 0)}


def test_the_stages_of_a_request_are_measured_when_it_is_answered() -> None:
    harness, _ = with_request()
    harness.fault("terminate", Fault.BEFORE)
    before = measured()
    harness.reconcile(enqueued_at=0.0)
    assert counted(before) == set()
    harness.reconcile(enqueued_at=0.0)
    assert counted(before) == {"queued", "terminated", "observed", "recorded", "Terminated"}


def test_pinning_is_a_stage_where_the_run_is_not_pinned_yet() -> None:
    harness = Harness()
    harness.temporal.start("wf")
    harness.server.create(execution("stop"))
    before = measured()
    harness.reconcile(enqueued_at=0.0)
    assert "pinned" in counted(before)


def test_a_grace_period_and_a_request_of_unknown_arrival_are_not_measured() -> None:
    harness, run = with_request(grace=60)
    before = measured()
    harness.reconcile(enqueued_at=0.0)
    harness.temporal.complete(run)
    harness.reconcile(enqueued_at=0.0)
    harness, _ = with_request()
    harness.reconcile()
    assert is_answered(harness.now.status)
    assert counted(before) == set()
