"""Stage 3, pin."""

from tests.support.builders import execution
from tests.unit.reconciler.harness import OWNED, TERMINATED, Harness


def test_a_run_that_is_not_pinned_is_pinned_before_its_termination() -> None:
    harness = Harness(OWNED)
    harness.temporal.start("wf", attributes={"OrganizationId": "acme"})
    harness.server.create(execution("stop"))
    harness.reconcile()
    before, after = harness.calls[: harness.calls.index("terminate")], harness.calls[harness.calls.index("terminate") :]
    assert sorted(before) == ["describe", "ownership_value", "write_status"]
    assert sorted(after) == ["close_event", "describe", "record_event", "terminate", "write_status"]
    assert harness.summary == TERMINATED
