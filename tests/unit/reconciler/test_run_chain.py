"""Chains of runs: continue-as-new, reset, retention."""

from execution_operator.reconciler.run_chain import MAX_MISSES
from tests.support.builders import execution
from tests.support.fake_temporal import FakeRuns
from tests.unit.reconciler.harness import TERMINATED, Harness, with_request


def test_a_termination_follows_the_chain() -> None:
    harness, run = with_request()
    following = harness.temporal.continue_as_new(harness.temporal.continue_as_new(run))
    harness.reconcile()
    assert (harness.summary, harness.now.status.run_id) == (TERMINATED, following.run_id)


def test_a_chain_that_continues_faster_than_the_calls_is_terminated_as_a_whole() -> None:
    harness, _ = with_request()

    class Racing(FakeRuns):
        async def terminate(self, run, order, *, chain=False):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            if (current := self.temporal.current("wf")) and current.open:
                self.temporal.continue_as_new(current)
            await super().terminate(run, order, chain=chain)

    harness.runs = Racing(harness.temporal, "acme", harness.note)
    harness.reconcile()
    assert (harness.calls.count("terminate"), harness.summary) == (MAX_MISSES + 1, TERMINATED)


def test_a_continued_run_named_by_the_spec_is_followed_and_terminated_in_one_reconcile() -> None:
    harness = Harness()
    run = harness.temporal.start("wf")
    following = harness.temporal.continue_as_new(run)
    harness.server.create(execution("stop", run_id=run.run_id))
    harness.reconcile()
    assert (harness.summary, harness.now.status.run_id) == (TERMINATED, following.run_id)


def test_a_reset_run_and_a_reused_workflow_id_are_not_touched() -> None:
    harness, run = with_request()
    reset = harness.temporal.reset(run)
    harness.reconcile()
    assert (reset.open, harness.summary) == (True, ("cancelled", "False/AlreadyClosed", "AlreadyClosed"))


def test_a_run_past_its_retention_is_not_found() -> None:
    harness, run = with_request()
    harness.temporal.complete(run)
    harness.temporal.delete(run)
    harness.reconcile()
    assert harness.summary == ("running", "False/ExecutionNotFound", None)
