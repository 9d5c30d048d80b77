"""Stage 5, observe."""

from execution_operator.reconciler.result import Requeue
from tests.support.fake_temporal import Fault, ParentClosePolicy
from tests.unit.reconciler.harness import TERMINATED, with_request


def test_observing_an_open_run_costs_two_calls_and_no_write() -> None:
    harness, _ = with_request()
    harness.server.edit(harness.now, terminate=None)
    harness.reconcile()
    harness.reconcile()
    assert harness.calls_by_name == {"close_event": 1, "describe": 1}


def test_observing_a_closed_run_costs_one_call() -> None:
    harness, run = with_request()
    harness.server.edit(harness.now, terminate=None)
    harness.reconcile()
    harness.temporal.complete(run)
    harness.reconcile()
    assert (harness.calls_by_name, harness.now.status.phase) == ({"close_event": 1, "write_status": 1}, "completed")


def test_a_run_that_closes_between_the_two_calls_is_closed() -> None:
    harness, run = with_request()
    harness.server.edit(harness.now, terminate=None)
    harness.reconcile()
    note = harness.runs.gate

    async def complete(call: str) -> None:
        if call == "describe":
            harness.temporal.complete(run)
        await note(call)

    harness.runs.gate = complete
    harness.reconcile()
    assert harness.now.status.phase == "completed"


def test_a_lost_reply_is_made_up_for_by_the_close_event() -> None:
    harness, _ = with_request()
    harness.fault("terminate", Fault.AFTER)
    assert harness.reconcile().requeue is not Requeue.WITH_BACKOFF
    assert harness.summary == TERMINATED


def test_unreadable_children_do_not_prevent_the_record() -> None:
    harness, _ = with_request()
    harness.fault("describe", Fault.BEFORE)
    harness.reconcile()
    assert harness.summary == TERMINATED


def test_children_that_were_read_are_kept_when_a_later_read_fails() -> None:
    harness, _ = with_request()
    harness.fault("terminate", Fault.AFTER)
    harness.fault("close_event", None, Fault.BEFORE)
    harness.reconcile()
    assert harness.summary == TERMINATED


def test_children_that_outlive_the_run_are_counted_and_named() -> None:
    harness, run = with_request()
    harness.temporal.start_child(run, "orphan", ParentClosePolicy.ABANDON)
    harness.temporal.start_child(run, "gone", ParentClosePolicy.TERMINATE)
    harness.reconcile()
    assert harness.now.status.abandoned_children == 1
    assert "orphan" in harness.server.announced[-1][1].message
