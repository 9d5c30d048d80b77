"""When an Execution is reconciled again."""

from execution_operator.reconciler.result import HELD_DELETION_INTERVAL_SECONDS, Result
from tests.unit.reconciler.harness import deleted


def test_a_deletion_held_up_by_a_later_run_is_reconciled_at_an_interval() -> None:
    harness, run = deleted()
    assert run is not None
    open_run_id = harness.temporal.continue_as_new(run)
    harness.temporal.delete(run)
    assert harness.reconcile() == Result(harness.now, requeue_after=HELD_DELETION_INTERVAL_SECONDS)
    harness.temporal.complete(open_run_id)
    harness.reconcile()
    assert harness.server.get() is None
