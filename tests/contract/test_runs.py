"""What the act builds on, shown on the fake and on the real Temporal alike."""

import re
from collections.abc import Callable

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus, TerminationRequest, Unclosed
from tests.contract.harness.backends import Backend, closing, described
from tests.support.fake_temporal import ParentClosePolicy
from tests.support.waiting import wait_for

ORDER = TerminationRequest("runaway cost", "uid-1", "team-a", "run", "jane")
NO_RUN = "00000000-0000-4000-8000-ffffffffffff"


def terminate(backend: Backend, run: Run, order: TerminationRequest = ORDER, *, chain: bool = False) -> None:
    backend.do(backend.runs.terminate(run, order, chain=chain))


def status(backend: Backend, run: Run) -> RunStatus:
    return described(backend, run.workflow_id, run.run_id).status


# --- describe


def test_the_current_run_is_described(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    found = described(backend, wid)
    assert (found.run, found.status, found.abandoned) == (run, RunStatus.RUNNING, ())
    assert (run.workflow_id, run.first_run_id) == (wid, run.run_id)


def test_a_run_is_described_by_its_id_also_when_another_is_current(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.continue_as_new(first)
    assert described(backend, wid, first.run_id).status is RunStatus.CONTINUED_AS_NEW
    assert described(backend, wid).run == second
    assert second.first_run_id == first.run_id


def test_what_is_not_there_is_none(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    assert backend.do(backend.runs.describe(f"{wid}-not", "")) is None
    assert backend.do(backend.runs.describe(wid, NO_RUN)) is None
    assert backend.do(backend.runs.describe(f"{wid}-not", run.run_id)) is None


def test_another_namespace_shows_nothing_of_it(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    assert backend.do(backend.other_namespace.describe(wid, "")) is None
    assert backend.do(backend.other_namespace.describe(wid, run.run_id)) is None
    assert backend.do(backend.other_namespace.close_event(run)) is Unclosed.MISSING
    assert backend.do(backend.other_namespace.ownership_value(run, "OrganizationId")) is None


def test_a_namespace_that_does_not_exist_is_a_refusal(backend: Backend, wid: str) -> None:
    with pytest.raises(TemporalError) as refusal:
        backend.do(backend.missing_namespace.describe(wid, ""))
    assert refusal.value.refused


def test_a_paused_run_is_open(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.pause(run)
    assert described(backend, wid).paused
    assert backend.do(backend.runs.close_event(run)) is Unclosed.OPEN
    terminate(backend, run)
    assert closing(backend, run).status is RunStatus.TERMINATED


def test_a_deleted_run_is_not_there(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.complete(run)
    backend.delete(run)
    assert backend.do(backend.runs.describe(wid, run.run_id)) is None
    assert backend.do(backend.runs.describe(wid, "")) is None
    assert backend.do(backend.runs.close_event(run)) is Unclosed.MISSING
    terminate(backend, run)


# --- owner


def owner(backend: Backend, run: Run) -> str | None:
    return backend.do(backend.runs.ownership_value(run, "OrganizationId"))


def test_the_owner_is_the_start_events(backend: Backend, wid: str) -> None:
    assert owner(backend, backend.start(wid, "acme")) == "acme"


def test_without_the_attribute_there_is_no_owner(backend: Backend, wid: str) -> None:
    run = backend.start(wid, None)
    assert owner(backend, run) == ""
    assert backend.do(backend.runs.ownership_value(run, "Unknown")) == ""


def test_workflow_code_can_not_forge_the_owner_not_even_over_a_continuation(backend: Backend, wid: str) -> None:
    first = backend.start(wid, "rival")
    backend.overwrite_owner(first, "acme")
    second = backend.continue_as_new(first)
    assert [owner(backend, run) for run in (first, second)] == ["rival", "rival"]
    as_if_first = Run(wid, second.run_id, second.run_id)
    assert owner(backend, as_if_first) == "acme", "the forgery stands in the later start event: only the first is proof"


def test_a_first_run_that_is_gone_proves_nothing(backend: Backend, wid: str) -> None:
    first = backend.start(wid, "acme")
    second = backend.continue_as_new(first)
    backend.delete(first)
    assert owner(backend, second) is None
    assert described(backend, wid).run == second


# --- closing


def test_an_open_run_has_no_close_event(backend: Backend, wid: str) -> None:
    assert backend.do(backend.runs.close_event(backend.start(wid))) is Unclosed.OPEN


def test_a_run_that_is_not_there_has_none_either(backend: Backend, wid: str) -> None:
    assert backend.do(backend.runs.close_event(Run(wid, NO_RUN, NO_RUN))) is Unclosed.MISSING


ENDS: list[tuple[RunStatus, Callable[[Backend, Run], None]]] = [
    (RunStatus.COMPLETED, lambda backend, run: backend.complete(run)),
    (RunStatus.FAILED, lambda backend, run: backend.fail(run)),
    (RunStatus.CANCELED, lambda backend, run: backend.do(backend.runs.request_cancel(run, ORDER))),
    (RunStatus.TERMINATED, lambda backend, run: backend.terminate_by_hand(run, "by hand", "jane@ui")),
]


@pytest.mark.parametrize(("how", "end"), ENDS, ids=[how for how, _ in ENDS])
def test_a_closed_run_says_how(backend: Backend, wid: str, how: RunStatus, end: Callable[[Backend, Run], None]) -> None:
    run = backend.start(wid)
    end(backend, run)
    found = closing(backend, run)
    assert (found.status, found.successor, found.execution_uid) == (how, "", "")
    assert status(backend, run) is how


def test_a_run_that_timed_out_says_so(backend: Backend, wid: str) -> None:
    run = backend.start(wid, times_out=True)
    backend.time_out(run)
    assert closing(backend, run).status is RunStatus.TIMED_OUT


def test_a_continued_run_names_the_next(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.continue_as_new(first)
    found = closing(backend, first)
    assert (found.status, found.successor) == (RunStatus.CONTINUED_AS_NEW, second.run_id)


def test_a_retried_run_names_the_next(backend: Backend, wid: str) -> None:
    first = backend.start(wid, retries=True)
    backend.fail(first)
    found = closing(backend, first)
    second = described(backend, wid).run
    assert (found.status, found.successor) == (RunStatus.FAILED, second.run_id)
    assert second.first_run_id == first.run_id


def test_a_cron_run_names_the_next(backend: Backend, wid: str) -> None:
    first = backend.start(wid, cron=True)
    backend.complete(first)
    found = closing(backend, first)
    second = described(backend, wid)
    assert (found.status, found.successor) == (RunStatus.COMPLETED, second.run.run_id)
    assert second.status is RunStatus.RUNNING
    terminate(backend, second.run)
    assert closing(backend, second.run).status is RunStatus.TERMINATED


def test_times_are_temporals_to_the_nanosecond(backend: Backend, wid: str) -> None:
    runs = [backend.start(f"{wid}-{number}") for number in range(3)]
    for run in runs:
        terminate(backend, run)
    times = [time for run in runs for time in (run.started_at or "", closing(backend, run).at)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,9})?Z", time) for time in times)
    assert any(len(time) == len("2026-01-01T00:00:00.123456789Z") for time in times)


# --- terminate


def test_our_termination_stands_in_the_history(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    terminate(backend, run)
    found = closing(backend, run)
    assert found == CloseEvent(
        RunStatus.TERMINATED, found.at, "runaway cost", "execution-operator/team-a/run", "uid-1", "jane"
    )


REASONS = [
    pytest.param("💥 „quoted“ \"a\" 'b' \\n {executionId} %s", id="emoji and quotes"),
    pytest.param("first\nsecond\r\n\tthird ", id="lines"),
    pytest.param("漢" * 500, id="500 wide characters"),
    pytest.param("💥" * 500, id="500 emoji"),
]


@pytest.mark.parametrize("reason", REASONS)
def test_reason_and_requester_are_verbatim(backend: Backend, wid: str, reason: str) -> None:
    run = backend.start(wid)
    terminate(backend, run, TerminationRequest(reason, "uid-1", "team-a", "run", f"jane {reason}"))
    found = closing(backend, run)
    assert (found.reason, found.requested_by) == (reason, f"jane {reason}")


def test_a_termination_by_others_is_none_of_ours(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.terminate_by_hand(run, "by hand", "jane@ui")
    found = closing(backend, run)
    assert (found.reason, found.identity, found.execution_uid, found.requested_by) == ("by hand", "jane@ui", "", "")


def test_a_termination_without_words_gets_the_servers(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.terminate_by_hand(run, "", "")
    found = closing(backend, run)
    assert (found.reason, found.identity) == ("terminated by user via frontend", "frontend-service")


def test_a_wrong_run_is_not_terminated_and_says_nothing(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    terminate(backend, Run(wid, NO_RUN, run.run_id))
    terminate(backend, Run(f"{wid}-not", run.run_id, run.run_id))
    assert status(backend, run) is RunStatus.RUNNING


def test_another_namespaces_run_is_not_terminated(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.do(backend.other_namespace.terminate(run, ORDER))
    backend.do(backend.other_namespace.terminate(run, ORDER, chain=True))
    assert status(backend, run) is RunStatus.RUNNING


def test_a_closed_run_stays_as_it_closed(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.complete(run)
    before = closing(backend, run)
    terminate(backend, run)
    terminate(backend, run, chain=True)
    assert closing(backend, run) == before


def test_the_first_termination_counts(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    terminate(backend, run)
    terminate(backend, run, TerminationRequest("again", "uid-2", "team-b", "other"))
    assert closing(backend, run).execution_uid == "uid-1"


def test_a_run_pinned_by_its_id_is_missed_once_the_chain_went_on(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.continue_as_new(first)
    terminate(backend, first)
    assert status(backend, second) is RunStatus.RUNNING


def test_a_chain_is_terminated_whichever_run_is_open(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.continue_as_new(first)
    terminate(backend, first, chain=True)
    assert closing(backend, second).execution_uid == "uid-1"
    assert closing(backend, first).status is RunStatus.CONTINUED_AS_NEW


def test_a_chain_that_is_named_makes_the_server_ignore_the_run(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    terminate(backend, Run(wid, NO_RUN, run.run_id), chain=True)
    assert closing(backend, run).execution_uid == "uid-1"


def test_another_chain_is_not_terminated(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    terminate(backend, Run(wid, run.run_id, NO_RUN), chain=True)
    assert status(backend, run) is RunStatus.RUNNING


def test_a_reused_id_is_another_chain(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    backend.complete(first)
    second = backend.start(wid)
    terminate(backend, first)
    terminate(backend, first, chain=True)
    assert (status(backend, second), second.first_run_id) == (RunStatus.RUNNING, second.run_id)
    assert closing(backend, first).successor == ""


# --- reset


def test_a_reset_ends_the_run_and_begins_one_that_no_close_event_names(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.reset(first)
    found = closing(backend, first)
    assert (found.status, found.reason, found.identity) == (RunStatus.TERMINATED, "reset", "history-resetter")
    assert (found.successor, found.execution_uid) == ("", "")
    assert (second.first_run_id, status(backend, second)) == (first.run_id, RunStatus.RUNNING)


def test_a_reset_run_outlives_a_termination_of_the_old_one(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.reset(first)
    terminate(backend, first)
    assert status(backend, second) is RunStatus.RUNNING


def test_a_reset_run_is_of_the_same_chain_so_naming_the_chain_ends_it(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.reset(first)
    terminate(backend, first, chain=True)
    assert closing(backend, second).execution_uid == "uid-1"


def test_a_reset_of_what_we_terminated_leaves_our_termination_in_the_history(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    terminate(backend, first)
    before = closing(backend, first)
    second = backend.reset(first)
    assert (closing(backend, first), status(backend, second)) == (before, RunStatus.RUNNING)


def test_a_reset_of_an_old_chain_ends_an_unrelated_one_of_the_same_id(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    backend.complete(first)
    other = backend.start(wid)
    third = backend.reset(first)
    assert closing(backend, other).identity == "history-resetter"
    assert (described(backend, wid).run.run_id, third.first_run_id) == (third.run_id, first.run_id)


def test_a_reset_run_keeps_its_owner(backend: Backend, wid: str) -> None:
    first = backend.start(wid, "acme")
    backend.overwrite_owner(first, "rival")
    assert owner(backend, backend.reset(first)) == "acme"


# --- cancel


def test_a_cancellation_that_is_honoured_closes_the_run(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    for _ in range(2):
        backend.do(backend.runs.request_cancel(run, ORDER))
    assert closing(backend, run).status is RunStatus.CANCELED
    backend.do(backend.runs.request_cancel(run, ORDER))


def test_a_cancellation_that_is_swallowed_leaves_it_open_for_the_termination(backend: Backend, wid: str) -> None:
    run = backend.start(wid, swallows=True)
    assert not described(backend, wid).cancel_requested
    for _ in range(2):
        backend.do(backend.runs.request_cancel(run, ORDER))
    assert described(backend, wid).cancel_requested
    assert status(backend, run) is RunStatus.RUNNING
    terminate(backend, run)
    assert closing(backend, run).execution_uid == "uid-1"


def test_a_paused_run_does_not_honour_a_cancellation_before_it_goes_on(backend: Backend, wid: str) -> None:
    run = backend.start(wid)
    backend.pause(run)
    backend.do(backend.runs.request_cancel(run, ORDER))
    assert status(backend, run) is RunStatus.PAUSED
    terminate(backend, run)


def test_only_the_run_that_is_named_is_cancelled(backend: Backend, wid: str) -> None:
    first = backend.start(wid)
    second = backend.continue_as_new(first)
    backend.do(backend.runs.request_cancel(first, ORDER))
    backend.do(backend.runs.request_cancel(Run(f"{wid}-not", NO_RUN, NO_RUN), ORDER))
    assert status(backend, second) is RunStatus.RUNNING


# --- children


def test_only_children_that_outlive_their_parent_are_named_before_and_after_its_end(backend: Backend, wid: str) -> None:
    parent = backend.start(wid)
    for policy in ParentClosePolicy:
        backend.child(parent, policy)
    assert described(backend, wid).abandoned == (f"{wid}-ABANDON",)
    assert backend.do(backend.runs.close_event_and_children(parent)) == (Unclosed.OPEN, None)
    terminate(backend, parent)
    assert described(backend, wid, parent.run_id).abandoned == (f"{wid}-ABANDON",)
    assert backend.do(backend.runs.close_event_and_children(parent)) == (closing(backend, parent), (f"{wid}-ABANDON",))


ENDINGS = [
    (ParentClosePolicy.TERMINATE, RunStatus.TERMINATED),
    (ParentClosePolicy.REQUEST_CANCEL, RunStatus.CANCELED),
    (ParentClosePolicy.ABANDON, RunStatus.RUNNING),
]


@pytest.mark.parametrize(("policy", "how"), ENDINGS)
def test_what_becomes_of_a_child(backend: Backend, wid: str, policy: ParentClosePolicy, how: RunStatus) -> None:
    parent = backend.start(wid)
    child = backend.child(parent, policy)
    terminate(backend, parent)
    wait_for(lambda: status(backend, child) is how, f"the child to be {how}", interval=0.01)


def test_a_child_that_has_ended_is_named_no_more(backend: Backend, wid: str) -> None:
    parent = backend.start(wid)
    child = backend.child(parent, ParentClosePolicy.ABANDON)
    backend.complete(child)
    wait_for(lambda: described(backend, wid).abandoned == (), "the child to go", interval=0.01)
