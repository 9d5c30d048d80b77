"""What an Execution's own fields say."""

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import NotFound
from execution_operator.core.workflow.runs import RunDescription, RunStatus
from execution_operator.core.workflow.state import (
    is_closed,
    is_deleting,
    is_known_missing,
    is_unanswered,
    needs_reconcile,
)
from tests.support.builders import execution
from tests.support.findings import (
    ASKED,
    DONE,
    DONE_BY_US,
    DONE_LATE,
    HERE,
    NEW,
    NOW,
    OPEN,
    OURS,
    REFUSED_BEFORE,
    RUN,
    SEEN,
    TERMINATING,
    Want,
    after,
    shown,
)


def gone(policy: DeletionPolicy, reason: str | None = None, status: ExecutionStatus = SEEN) -> Execution:
    return execution(reason, deleted=True, policy=policy, status=status)


UNANSWERED = [
    pytest.param(execution(status=SEEN), False, id="nothing asked"),
    pytest.param(execution("stop", status=SEEN), True, id="asked"),
    pytest.param(execution("stop", status=DONE), True, id="asked late"),
    pytest.param(execution("stop", status=DONE_BY_US), False, id="answered"),
    pytest.param(execution("again", status=DONE_LATE), False, id="answered once and for all"),
    pytest.param(gone(DeletionPolicy.ORPHAN), False, id="deleted, Orphan"),
    pytest.param(gone(DeletionPolicy.ORPHAN, "stop"), True, id="deleted, Orphan, asked"),
    pytest.param(gone(DeletionPolicy.TERMINATE), True, id="deleted, Terminate"),
    pytest.param(gone(DeletionPolicy.TERMINATE, status=DONE), False, id="deleted, Terminate, closed"),
    pytest.param(execution(policy=DeletionPolicy.TERMINATE, status=SEEN), False, id="Terminate, not deleted"),
]


@pytest.mark.parametrize(("asked", "waits"), UNANSWERED)
def test_a_request_waits_until_it_is_answered_for_good(asked: Execution, *, waits: bool) -> None:
    assert is_unanswered(asked) is waits


def test_deleting_means_ending_the_workflow_with_it() -> None:
    assert is_deleting(gone(DeletionPolicy.TERMINATE))
    assert not is_deleting(gone(DeletionPolicy.ORPHAN))
    assert not is_deleting(execution(policy=DeletionPolicy.TERMINATE))


def test_a_deletion_that_terminates_is_under_way_and_then_recorded() -> None:
    going = gone(DeletionPolicy.TERMINATE)
    assert shown(render(going, OPEN, HERE, NOW)) == Want("running", reconciling="True/Pending")
    assert shown(render(going, OURS, HERE, NOW)).outcome == "Terminated"


@pytest.mark.parametrize(("status", "final"), [(NEW, False), (SEEN, False), (TERMINATING, False), (DONE, True)])
def test_closed_is_a_final_phase(status: ExecutionStatus, *, final: bool) -> None:
    assert is_closed(status) is final


def test_attention_is_wanted_by_what_was_never_seen_has_changed_or_broke_off() -> None:
    assert needs_reconcile(execution())
    assert needs_reconcile(execution(generation=2, status=SEEN))
    assert needs_reconcile(execution(status=ASKED))
    assert not needs_reconcile(execution(status=SEEN))


def test_sought_is_what_was_not_found_in_this_very_generation() -> None:
    missing = after((NotFound("none"), "stop"))
    assert is_known_missing(execution("stop", status=missing))
    assert not is_known_missing(execution("stop", generation=2, status=missing))
    assert not is_known_missing(execution("stop", status=REFUSED_BEFORE))
    assert not is_known_missing(execution("stop", status=ASKED))


def test_what_temporal_calls_open() -> None:
    assert [status for status in RunStatus if status.open] == [RunStatus.RUNNING, RunStatus.PAUSED]
    assert RunDescription(RUN, RunStatus.PAUSED).paused
    assert not RunDescription(RUN, RunStatus.RUNNING).paused
