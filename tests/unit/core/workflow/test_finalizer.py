"""The finalizer of Executions with deletionPolicy Terminate: when it is put on, taken off, and what a wait is told."""

import pytest

from execution_operator.api import DeletionPolicy, ExecutionStatus, Phase
from execution_operator.core.authorization.authorize import Denied, Failing, Undecided
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.finalizer import (
    FINALIZER,
    can_remove_finalizer,
    explain_waiting_deletion,
    needs_finalizer,
)
from execution_operator.core.workflow.findings import Finding, NotFound, Open, Recorded
from execution_operator.core.workflow.runs import Run
from tests.support.builders import execution

TERMINATE, ORPHAN = DeletionPolicy.TERMINATE, DeletionPolicy.ORPHAN
PINNED = ExecutionStatus(workflow_id="wf", run_id="run", first_run_id="run", phase=Phase.RUNNING)
ENDED = PINNED.model_copy(update={"phase": Phase.COMPLETED})
DENIED = Denied(Reason.NAMESPACE_NOT_MAPPED, "no Organization lists it")
MISSING = NotFound("unknown")


@pytest.mark.parametrize(
    ("policy", "status", "deleted", "held", "wanted"),
    [
        (TERMINATE, PINNED, False, False, True),
        (TERMINATE, PINNED, False, True, False),  # it is there
        (TERMINATE, PINNED, True, False, False),  # too late: the API server takes none any more
        (TERMINATE, ENDED, False, False, False),  # nothing to hold it for
        (ORPHAN, PINNED, False, False, False),
    ],
)
def test_where_it_is_put_on(
    policy: DeletionPolicy, status: ExecutionStatus, *, deleted: bool, held: bool, wanted: bool
) -> None:
    it = execution(policy=policy, status=status, deleted=deleted, finalizers=[FINALIZER] * held)
    assert needs_finalizer(it) is wanted


@pytest.mark.parametrize(
    ("policy", "status", "deleted", "finding", "off"),
    [
        (TERMINATE, ENDED, False, Recorded(), True),
        (TERMINATE, PINNED, True, Open(Run("wf", "run", "run")), False),
        (TERMINATE, ExecutionStatus(), True, MISSING, True),
        (TERMINATE, ExecutionStatus(), False, MISSING, False),  # it may be started yet
        (TERMINATE, PINNED, True, NotFound("expired", open_run_id="other"), False),  # its chain runs on
        (TERMINATE, ExecutionStatus(), True, DENIED, True),
        (TERMINATE, PINNED, True, DENIED, False),  # the workflow was found to be its own
        (ORPHAN, PINNED, True, DENIED, True),
    ],
)
def test_where_it_is_taken_off(
    policy: DeletionPolicy, status: ExecutionStatus, *, deleted: bool, finding: Finding, off: bool
) -> None:
    held = execution(policy=policy, status=status, deleted=deleted, finalizers=[FINALIZER])
    assert can_remove_finalizer(held, finding) is off
    assert not can_remove_finalizer(execution(policy=policy, status=status, deleted=deleted), finding)


@pytest.mark.parametrize(
    ("status", "deleted", "decision", "told"),
    [
        (PINNED, True, DENIED, True),
        (PINNED, False, DENIED, False),
        (ExecutionStatus(), True, DENIED, False),  # it does not wait
        (PINNED, True, Failing(Reason.TEMPORAL_UNAVAILABLE, "away"), False),  # it waits, and that ends by itself
        (PINNED, True, Undecided(), False),
    ],
)
def test_a_denial_that_holds_up_a_deletion_says_how_to_end_that(
    status: ExecutionStatus, *, deleted: bool, decision: Denied | Failing | Undecided, told: bool
) -> None:
    said = explain_waiting_deletion(execution(policy=TERMINATE, status=status, deleted=deleted), decision)
    assert (said != decision) is told
    if told:
        assert isinstance(said, Denied)
        assert "set deletionPolicy to Orphan" in said.message
