"""Executions that are deleted with an unsettled request."""

import pytest

from execution_operator.core.workflow.state import is_answered
from execution_operator.reconciler.result import Requeue
from tests.support.builders import execution
from tests.support.fake_temporal import Fault
from tests.unit.reconciler.harness import Harness, with_request


def test_a_pinned_run_is_terminated_and_an_event_created() -> None:
    harness, run = with_request()
    last = harness.now
    harness.server.delete(last)
    harness.reconcile(last)
    assert (run.open, harness.event_reasons) == (False, ["Terminated"])


def test_a_pinned_run_is_terminated_also_after_a_failure() -> None:
    harness, run = with_request()
    last = harness.now
    harness.server.delete(last)
    harness.fault("terminate", Fault.BEFORE)
    result = harness.reconcile(last)
    assert result.requeue is Requeue.WITH_BACKOFF
    harness.reconcile(result.execution, deleted=True)
    assert (run.open, harness.calls.count("write_status")) == (False, 0)


@pytest.mark.parametrize("known", [False, True], ids=["found out by the pin", "known"])
def test_a_run_that_was_never_pinned_is_left_alone(known: bool) -> None:  # noqa: FBT001
    harness = Harness()
    last = harness.server.create(execution("stop"))
    harness.server.delete(last)
    run = harness.temporal.start("wf")
    result = harness.reconcile(last, deleted=known)
    assert run.open
    harness.reconcile(result.execution, deleted=True)
    assert run.open


def test_a_second_operator_that_never_saw_the_pin_creates_the_same_event() -> None:
    harness = Harness()
    harness.temporal.start("wf")
    stale = harness.server.create(execution("stop"))
    harness.reconcile()
    harness.server.delete(harness.now)
    harness.reconcile(stale)
    first, second = [
        (event_reasons.status.run_id, is_answered(event_reasons.status))
        for event_reasons, _ in harness.server.announced
    ]
    assert first == second
