"""The reconciler as a whole: what a termination costs, failures, conflicts."""

import pytest

from execution_operator.api import (
    Execution,
    ExecutionStatus,
    Terminate,
)
from execution_operator.core.errors import Conflict
from execution_operator.reconciler.reconciler import MAX_CONFLICTS
from execution_operator.reconciler.result import Requeue, Result
from tests.support.fake_records import FakeRecords
from tests.support.fake_temporal import Fault
from tests.unit.reconciler.harness import FAULTS, TERMINATED, with_request


def test_terminating_a_pinned_run_costs_three_temporal_calls_one_patch_and_one_event() -> None:
    harness, run = with_request()
    assert harness.reconcile() == Result(harness.now)
    assert harness.calls_by_name == dict.fromkeys(
        ("terminate", "close_event", "describe", "write_status", "record_event"), 1
    )
    assert (harness.summary, harness.event_reasons) == (TERMINATED, ["Terminated"])
    assert run.closing is not None
    assert harness.now.status.terminated_at == run.closing.at


@pytest.mark.parametrize(("call", "fault", "answer"), FAULTS)
def test_a_failed_call_is_recorded_reported_as_suspect_and_retried(call: str, fault: Fault, answer: str) -> None:
    harness, _ = with_request()
    harness.fault(call, fault)
    assert harness.reconcile().requeue is Requeue.WITH_BACKOFF
    assert (harness.summary, harness.suspected) == (("running", answer, None), ["acme"])
    assert harness.reconcile().requeue is not Requeue.WITH_BACKOFF
    assert (harness.summary, len(harness.temporal.terminated)) == (TERMINATED, 1)


def test_a_retry_that_fails_again_writes_no_status_and_no_event() -> None:
    harness, _ = with_request()
    harness.fault("terminate", *[Fault.BEFORE] * 3)
    harness.reconcile()
    for _ in range(2):
        assert harness.reconcile().requeue is Requeue.WITH_BACKOFF
        assert harness.calls_by_name == {"terminate": 1, "close_event": 1}


def test_a_conflict_repeats_the_reconcile_on_the_present_object() -> None:
    harness, run = with_request()
    stale = harness.now
    harness.server.edit(stale, terminate=None)
    harness.server.edit(harness.now, execution_id="wf", terminate=Terminate(reason="reworded"))
    harness.reconcile(stale)
    assert run.closing is not None
    assert (run.closing.reason, harness.summary) == ("stop", TERMINATED)
    assert harness.now.status.termination is not None
    assert harness.now.status.termination.reason == "stop", "what is recorded is what Temporal's history shows"


def test_an_object_that_changes_at_every_attempt_is_retried_with_backoff() -> None:
    harness, _ = with_request()

    class Changing(FakeRecords):
        async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:  # noqa: ARG002
            raise Conflict

    harness.records = Changing(harness.server, harness.note)
    assert harness.reconcile().requeue is Requeue.WITH_BACKOFF
    assert harness.calls.count("read") == MAX_CONFLICTS
