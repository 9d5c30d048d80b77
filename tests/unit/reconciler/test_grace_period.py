"""Cancellation first, termination at the deadline."""

from contextlib import suppress
from dataclasses import replace

import pytest

from execution_operator.api import (
    Terminate,
)
from execution_operator.core.errors import RecordError
from execution_operator.core.reasons import Reason
from execution_operator.reconciler.result import Requeue
from tests.support.builders import probe
from tests.support.fake_temporal import Fault
from tests.unit.reconciler.harness import ACME, TERMINATED, Harness, with_request


def test_a_workflow_that_honours_the_cancellation_is_cancelled() -> None:
    harness, run = with_request(grace=60)
    result = harness.reconcile()
    assert (harness.summary, run.cancel is not None, run.open) == (
        ("terminating", "False/GracePeriod", None),
        True,
        True,
    )
    assert result.requeue_after is not None
    assert 0 < result.requeue_after <= 61
    harness.temporal.honour(run)
    harness.reconcile()
    assert (harness.summary, harness.event_reasons) == (
        ("cancelled", "True/Cancelled", "Cancelled"),
        ["GracePeriod", "Cancelled"],
    )


def test_a_workflow_that_ignores_the_cancellation_is_terminated_at_the_deadline() -> None:
    harness, run = with_request(grace=60)
    harness.reconcile()
    harness.clock.advance(55)
    harness.reconcile()
    assert run.open
    assert harness.calls_by_name == {"request_cancel": 1, "close_event": 1}, "polling writes nothing"
    harness.clock.advance(10)
    harness.reconcile()
    assert harness.summary == TERMINATED


@pytest.mark.parametrize("lost", ["the record's reply", "the request to cancel"])
def test_the_grace_period_begins_again_after_an_outage_that_outlasted_it(lost: str) -> None:
    harness, run = with_request(grace=60)
    if lost == "the record's reply":
        harness.server.faults["write_status"].append(Fault.AFTER)
    else:
        harness.fault("request_cancel", Fault.BEFORE)
    with suppress(RecordError):
        harness.reconcile()
    harness.clock.advance(600)
    harness.reconcile()
    assert (run.open, run.cancel is not None, harness.summary[0]) == (True, True, "terminating")
    harness.clock.advance(62)
    harness.reconcile()
    assert harness.summary == TERMINATED


def test_the_next_run_of_a_chain_has_no_grace_period_of_its_own() -> None:
    harness, run = with_request(grace=60)
    harness.reconcile()
    harness.clock.advance(62)
    second = harness.temporal.continue_as_new(run)
    harness.reconcile()
    assert (second.open, harness.summary) == (False, TERMINATED)


def test_a_chain_that_continues_in_its_grace_period_gets_no_second_one() -> None:
    harness, run = with_request(grace=60)
    harness.reconcile()
    harness.clock.advance(30)
    second = harness.temporal.continue_as_new(run)
    harness.reconcile()
    assert second.open
    harness.clock.advance(32)
    harness.reconcile()
    assert (second.open, harness.summary) == (False, TERMINATED)


def test_a_cancellation_that_keeps_failing_creates_one_event() -> None:
    harness, _ = with_request(grace=600)
    harness.fault("request_cancel", *[Fault.BEFORE] * 10)
    writes = []
    for _ in range(10):
        assert harness.reconcile().requeue is Requeue.WITH_BACKOFF
        writes.append(harness.calls.count("record_event"))
    assert (writes[2:], harness.summary[0]) == ([0] * 8, "terminating")
    assert harness.reconcile().requeue is not Requeue.WITH_BACKOFF


def deadline(harness: Harness) -> str | None:
    termination = harness.now.status.termination
    return termination.deadline if termination else None


def test_a_changed_request_restarts_its_grace_period_also_after_an_outage() -> None:
    harness, run = with_request(grace=10)
    harness.reconcile()
    before = deadline(harness)
    harness.server.edit(harness.now, terminate=Terminate(reason="stop", grace_period_seconds=3600))
    harness.mapping.record_probe("acme", replace(probe(ACME), fault=Reason.TEMPORAL_UNAVAILABLE))
    harness.reconcile()
    harness.mapping.record_probe("acme", probe(ACME))
    harness.clock.advance(60)
    harness.reconcile()
    assert run.open
    assert before is not None
    assert (deadline(harness) or "") > before


def test_a_request_withdrawn_in_its_grace_period_leaves_the_workflow_running() -> None:
    harness, run = with_request(grace=10)
    harness.reconcile()
    harness.server.edit(harness.now, terminate=None)
    harness.clock.advance(60)
    harness.reconcile()
    assert (run.open, harness.summary, harness.event_reasons[-1]) == (True, ("running", None, None), "Withdrawn")
