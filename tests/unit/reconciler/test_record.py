"""Stage 6, record: status, finalizer, Events."""

import pytest

from execution_operator.api import (
    DeletionPolicy,
)
from execution_operator.core.errors import RecordError
from execution_operator.core.workflow.finalizer import FINALIZER
from execution_operator.core.workflow.runs import Run, TerminationRequest
from execution_operator.reconciler.result import Requeue
from tests.support.builders import execution
from tests.support.fake_temporal import FakeRuns, Fault
from tests.unit.reconciler.harness import TERMINATED, Harness, deleted, with_request


def test_an_event_that_failed_is_created_by_the_next_reconcile() -> None:
    harness, _ = with_request()
    harness.server.faults["record_event"].append(Fault.BEFORE)
    with pytest.raises(RecordError):
        harness.reconcile()
    assert (harness.summary, harness.event_reasons) == (TERMINATED, [])
    harness.reconcile(interrupted=True)
    assert (harness.calls, harness.event_reasons) == (["record_event"], ["Terminated"])


def test_only_an_execution_with_deletion_policy_terminate_gets_the_finalizer() -> None:
    for policy, held in ((DeletionPolicy.TERMINATE, [FINALIZER]), (DeletionPolicy.ORPHAN, [])):
        harness = Harness()
        harness.server.create(execution(policy=policy))
        harness.reconcile()
        assert harness.now.metadata.finalizers == held


def test_a_deletion_terminates_the_workflow_and_removes_the_finalizer() -> None:
    harness, run = deleted()
    assert harness.now.metadata.finalizers == [FINALIZER]
    harness.reconcile()
    assert run is not None
    assert run.closing is not None
    assert run.closing.reason == "Execution team-a/run was deleted"
    assert (harness.server.get(), harness.event_reasons) == (None, ["Terminated"])


def test_a_deletion_without_a_workflow_removes_the_finalizer() -> None:
    harness, _ = deleted(running=False)
    harness.reconcile()
    assert harness.server.get() is None


def test_a_deletion_waits_while_temporal_is_unavailable() -> None:
    harness, run = deleted()
    harness.fault("terminate", Fault.BEFORE)
    assert harness.reconcile().requeue is Requeue.WITH_BACKOFF
    assert harness.server.get() is not None
    harness.reconcile()
    assert run is not None
    assert (run.open, harness.server.get()) == (False, None)


def test_a_deletion_policy_changed_to_orphan_removes_the_finalizer_and_leaves_the_workflow() -> None:
    harness, run = deleted()
    harness.server.edit(harness.now, deletion_policy=DeletionPolicy.ORPHAN)
    harness.reconcile()
    assert run is not None
    assert (run.open, harness.server.get()) == (True, None)


def test_an_event_is_created_also_when_a_conflict_repeats_the_reconcile() -> None:
    harness, run = with_request(grace=60)

    class Overtaken(FakeRuns):
        async def request_cancel(self, run: Run, order: TerminationRequest) -> None:
            await super().request_cancel(run, order)
            self.temporal.continue_as_new(self.temporal.ever[run.run_id])
            harness.server.edit(harness.now, deletion_policy=DeletionPolicy.TERMINATE)

    harness.runs = Overtaken(harness.temporal, "acme", harness.note)
    harness.runs_of_grant = lambda _: harness.runs if run.open else FakeRuns(harness.temporal, "acme", harness.note)
    harness.reconcile()
    assert harness.event_reasons == ["GracePeriod"]
