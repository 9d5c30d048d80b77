"""What the act builds on, shown on the fake and on the real Temporal alike."""

import re
from collections.abc import Callable

import pytest

from execution_operator.core.errors import TemporalError
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus, TerminationRequest, Unclosed
from tests.contract.worlds import World, closing, described
from tests.support.fake_temporal import ParentClosePolicy
from tests.support.waiting import wait_for

ORDER = TerminationRequest("runaway cost", "uid-1", "team-a", "run", "jane")
NO_RUN = "00000000-0000-4000-8000-ffffffffffff"


def terminate(world: World, run: Run, order: TerminationRequest = ORDER, *, chain: bool = False) -> None:
    world.do(world.runs.terminate(run, order, chain=chain))


def status(world: World, run: Run) -> RunStatus:
    return described(world, run.workflow_id, run.run_id).status


# --- describe


def test_the_current_run_is_described(world: World, wid: str) -> None:
    run = world.start(wid)
    found = described(world, wid)
    assert (found.run, found.status, found.abandoned) == (run, RunStatus.RUNNING, ())
    assert (run.workflow_id, run.first_run_id) == (wid, run.run_id)


def test_a_run_is_described_by_its_id_also_when_another_is_current(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.go_on(first)
    assert described(world, wid, first.run_id).status is RunStatus.CONTINUED_AS_NEW
    assert described(world, wid).run == second
    assert second.first_run_id == first.run_id


def test_what_is_not_there_is_none(world: World, wid: str) -> None:
    run = world.start(wid)
    assert world.do(world.runs.describe(f"{wid}-not", "")) is None
    assert world.do(world.runs.describe(wid, NO_RUN)) is None
    assert world.do(world.runs.describe(f"{wid}-not", run.run_id)) is None


def test_another_namespace_shows_nothing_of_it(world: World, wid: str) -> None:
    run = world.start(wid)
    assert world.do(world.elsewhere.describe(wid, "")) is None
    assert world.do(world.elsewhere.describe(wid, run.run_id)) is None
    assert world.do(world.elsewhere.close_event(run)) is Unclosed.MISSING
    assert world.do(world.elsewhere.ownership_value(run, "OrganizationId")) is None


def test_a_namespace_that_does_not_exist_is_a_refusal(world: World, wid: str) -> None:
    with pytest.raises(TemporalError) as refusal:
        world.do(world.nowhere.describe(wid, ""))
    assert refusal.value.refused


def test_a_paused_run_is_open(world: World, wid: str) -> None:
    run = world.start(wid)
    world.pause(run)
    assert described(world, wid).paused
    assert world.do(world.runs.close_event(run)) is Unclosed.OPEN
    terminate(world, run)
    assert closing(world, run).status is RunStatus.TERMINATED


def test_a_deleted_run_is_not_there(world: World, wid: str) -> None:
    run = world.start(wid)
    world.complete(run)
    world.delete(run)
    assert world.do(world.runs.describe(wid, run.run_id)) is None
    assert world.do(world.runs.describe(wid, "")) is None
    assert world.do(world.runs.close_event(run)) is Unclosed.MISSING
    terminate(world, run)


# --- owner


def owner(world: World, run: Run) -> str | None:
    return world.do(world.runs.ownership_value(run, "OrganizationId"))


def test_the_owner_is_the_start_events(world: World, wid: str) -> None:
    assert owner(world, world.start(wid, "acme")) == "acme"


def test_without_the_attribute_there_is_no_owner(world: World, wid: str) -> None:
    run = world.start(wid, None)
    assert owner(world, run) == ""
    assert world.do(world.runs.ownership_value(run, "Unknown")) == ""


def test_workflow_code_can_not_forge_the_owner_not_even_over_a_continuation(world: World, wid: str) -> None:
    first = world.start(wid, "rival")
    world.forge(first, "acme")
    second = world.go_on(first)
    assert [owner(world, run) for run in (first, second)] == ["rival", "rival"]
    as_if_first = Run(wid, second.run_id, second.run_id)
    assert owner(world, as_if_first) == "acme", "the forgery stands in the later start event: only the first is proof"


def test_a_first_run_that_is_gone_proves_nothing(world: World, wid: str) -> None:
    first = world.start(wid, "acme")
    second = world.go_on(first)
    world.delete(first)
    assert owner(world, second) is None
    assert described(world, wid).run == second


# --- closing


def test_an_open_run_has_no_close_event(world: World, wid: str) -> None:
    assert world.do(world.runs.close_event(world.start(wid))) is Unclosed.OPEN


def test_a_run_that_is_not_there_has_none_either(world: World, wid: str) -> None:
    assert world.do(world.runs.close_event(Run(wid, NO_RUN, NO_RUN))) is Unclosed.MISSING


ENDS: list[tuple[RunStatus, Callable[[World, Run], None]]] = [
    (RunStatus.COMPLETED, lambda world, run: world.complete(run)),
    (RunStatus.FAILED, lambda world, run: world.fail(run)),
    (RunStatus.CANCELED, lambda world, run: world.do(world.runs.request_cancel(run, ORDER))),
    (RunStatus.TERMINATED, lambda world, run: world.kill(run, "by hand", "jane@ui")),
]


@pytest.mark.parametrize(("how", "end"), ENDS, ids=[how for how, _ in ENDS])
def test_a_closed_run_says_how(world: World, wid: str, how: RunStatus, end: Callable[[World, Run], None]) -> None:
    run = world.start(wid)
    end(world, run)
    found = closing(world, run)
    assert (found.status, found.successor, found.execution_uid) == (how, "", "")
    assert status(world, run) is how


def test_a_run_that_timed_out_says_so(world: World, wid: str) -> None:
    run = world.start(wid, times_out=True)
    world.time_out(run)
    assert closing(world, run).status is RunStatus.TIMED_OUT


def test_a_continued_run_names_the_next(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.go_on(first)
    found = closing(world, first)
    assert (found.status, found.successor) == (RunStatus.CONTINUED_AS_NEW, second.run_id)


def test_a_retried_run_names_the_next(world: World, wid: str) -> None:
    first = world.start(wid, retries=True)
    world.fail(first)
    found = closing(world, first)
    second = described(world, wid).run
    assert (found.status, found.successor) == (RunStatus.FAILED, second.run_id)
    assert second.first_run_id == first.run_id


def test_a_cron_run_names_the_next(world: World, wid: str) -> None:
    first = world.start(wid, cron=True)
    world.complete(first)
    found = closing(world, first)
    second = described(world, wid)
    assert (found.status, found.successor) == (RunStatus.COMPLETED, second.run.run_id)
    assert second.status is RunStatus.RUNNING
    terminate(world, second.run)
    assert closing(world, second.run).status is RunStatus.TERMINATED


def test_times_are_temporals_to_the_nanosecond(world: World, wid: str) -> None:
    runs = [world.start(f"{wid}-{number}") for number in range(3)]
    for run in runs:
        terminate(world, run)
    times = [time for run in runs for time in (run.started_at or "", closing(world, run).at)]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3,9})?Z", time) for time in times)
    assert any(len(time) == len("2026-01-01T00:00:00.123456789Z") for time in times)


# --- terminate


def test_our_termination_stands_in_the_history(world: World, wid: str) -> None:
    run = world.start(wid)
    terminate(world, run)
    found = closing(world, run)
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
def test_reason_and_requester_are_verbatim(world: World, wid: str, reason: str) -> None:
    run = world.start(wid)
    terminate(world, run, TerminationRequest(reason, "uid-1", "team-a", "run", f"jane {reason}"))
    found = closing(world, run)
    assert (found.reason, found.requested_by) == (reason, f"jane {reason}")


def test_a_termination_by_others_is_none_of_ours(world: World, wid: str) -> None:
    run = world.start(wid)
    world.kill(run, "by hand", "jane@ui")
    found = closing(world, run)
    assert (found.reason, found.identity, found.execution_uid, found.requested_by) == ("by hand", "jane@ui", "", "")


def test_a_termination_without_words_gets_the_servers(world: World, wid: str) -> None:
    run = world.start(wid)
    world.kill(run, "", "")
    found = closing(world, run)
    assert (found.reason, found.identity) == ("terminated by user via frontend", "frontend-service")


def test_a_wrong_run_is_not_terminated_and_says_nothing(world: World, wid: str) -> None:
    run = world.start(wid)
    terminate(world, Run(wid, NO_RUN, run.run_id))
    terminate(world, Run(f"{wid}-not", run.run_id, run.run_id))
    assert status(world, run) is RunStatus.RUNNING


def test_another_namespaces_run_is_not_terminated(world: World, wid: str) -> None:
    run = world.start(wid)
    world.do(world.elsewhere.terminate(run, ORDER))
    world.do(world.elsewhere.terminate(run, ORDER, chain=True))
    assert status(world, run) is RunStatus.RUNNING


def test_a_closed_run_stays_as_it_closed(world: World, wid: str) -> None:
    run = world.start(wid)
    world.complete(run)
    before = closing(world, run)
    terminate(world, run)
    terminate(world, run, chain=True)
    assert closing(world, run) == before


def test_the_first_termination_counts(world: World, wid: str) -> None:
    run = world.start(wid)
    terminate(world, run)
    terminate(world, run, TerminationRequest("again", "uid-2", "team-b", "other"))
    assert closing(world, run).execution_uid == "uid-1"


def test_a_run_pinned_by_its_id_is_missed_once_the_chain_went_on(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.go_on(first)
    terminate(world, first)
    assert status(world, second) is RunStatus.RUNNING


def test_a_chain_is_terminated_whichever_run_is_open(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.go_on(first)
    terminate(world, first, chain=True)
    assert closing(world, second).execution_uid == "uid-1"
    assert closing(world, first).status is RunStatus.CONTINUED_AS_NEW


def test_a_chain_that_is_named_makes_the_server_ignore_the_run(world: World, wid: str) -> None:
    run = world.start(wid)
    terminate(world, Run(wid, NO_RUN, run.run_id), chain=True)
    assert closing(world, run).execution_uid == "uid-1"


def test_another_chain_is_not_terminated(world: World, wid: str) -> None:
    run = world.start(wid)
    terminate(world, Run(wid, run.run_id, NO_RUN), chain=True)
    assert status(world, run) is RunStatus.RUNNING


def test_a_reused_id_is_another_chain(world: World, wid: str) -> None:
    first = world.start(wid)
    world.complete(first)
    second = world.start(wid)
    terminate(world, first)
    terminate(world, first, chain=True)
    assert (status(world, second), second.first_run_id) == (RunStatus.RUNNING, second.run_id)
    assert closing(world, first).successor == ""


# --- reset


def test_a_reset_ends_the_run_and_begins_one_that_no_close_event_names(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.reset(first)
    found = closing(world, first)
    assert (found.status, found.reason, found.identity) == (RunStatus.TERMINATED, "reset", "history-resetter")
    assert (found.successor, found.execution_uid) == ("", "")
    assert (second.first_run_id, status(world, second)) == (first.run_id, RunStatus.RUNNING)


def test_a_reset_run_outlives_a_termination_of_the_old_one(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.reset(first)
    terminate(world, first)
    assert status(world, second) is RunStatus.RUNNING


def test_a_reset_run_is_of_the_same_chain_so_naming_the_chain_ends_it(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.reset(first)
    terminate(world, first, chain=True)
    assert closing(world, second).execution_uid == "uid-1"


def test_a_reset_of_what_we_terminated_leaves_our_termination_in_the_history(world: World, wid: str) -> None:
    first = world.start(wid)
    terminate(world, first)
    before = closing(world, first)
    second = world.reset(first)
    assert (closing(world, first), status(world, second)) == (before, RunStatus.RUNNING)


def test_a_reset_of_an_old_chain_ends_an_unrelated_one_of_the_same_id(world: World, wid: str) -> None:
    first = world.start(wid)
    world.complete(first)
    other = world.start(wid)
    third = world.reset(first)
    assert closing(world, other).identity == "history-resetter"
    assert (described(world, wid).run.run_id, third.first_run_id) == (third.run_id, first.run_id)


def test_a_reset_run_keeps_its_owner(world: World, wid: str) -> None:
    first = world.start(wid, "acme")
    world.forge(first, "rival")
    assert owner(world, world.reset(first)) == "acme"


# --- cancel


def test_a_cancellation_that_is_honoured_closes_the_run(world: World, wid: str) -> None:
    run = world.start(wid)
    for _ in range(2):
        world.do(world.runs.request_cancel(run, ORDER))
    assert closing(world, run).status is RunStatus.CANCELED
    world.do(world.runs.request_cancel(run, ORDER))


def test_a_cancellation_that_is_swallowed_leaves_it_open_for_the_termination(world: World, wid: str) -> None:
    run = world.start(wid, swallows=True)
    assert not described(world, wid).cancel_requested
    for _ in range(2):
        world.do(world.runs.request_cancel(run, ORDER))
    assert described(world, wid).cancel_requested
    assert status(world, run) is RunStatus.RUNNING
    terminate(world, run)
    assert closing(world, run).execution_uid == "uid-1"


def test_a_paused_run_does_not_honour_a_cancellation_before_it_goes_on(world: World, wid: str) -> None:
    run = world.start(wid)
    world.pause(run)
    world.do(world.runs.request_cancel(run, ORDER))
    assert status(world, run) is RunStatus.PAUSED
    terminate(world, run)


def test_only_the_run_that_is_named_is_cancelled(world: World, wid: str) -> None:
    first = world.start(wid)
    second = world.go_on(first)
    world.do(world.runs.request_cancel(first, ORDER))
    world.do(world.runs.request_cancel(Run(f"{wid}-not", NO_RUN, NO_RUN), ORDER))
    assert status(world, second) is RunStatus.RUNNING


# --- children


def test_only_children_that_outlive_their_parent_are_named_before_and_after_its_end(world: World, wid: str) -> None:
    parent = world.start(wid)
    for policy in ParentClosePolicy:
        world.child(parent, policy)
    assert described(world, wid).abandoned == (f"{wid}-ABANDON",)
    assert world.do(world.runs.close_event_and_children(parent)) == (Unclosed.OPEN, None)
    terminate(world, parent)
    assert described(world, wid, parent.run_id).abandoned == (f"{wid}-ABANDON",)
    assert world.do(world.runs.close_event_and_children(parent)) == (closing(world, parent), (f"{wid}-ABANDON",))


ENDINGS = [
    (ParentClosePolicy.TERMINATE, RunStatus.TERMINATED),
    (ParentClosePolicy.REQUEST_CANCEL, RunStatus.CANCELED),
    (ParentClosePolicy.ABANDON, RunStatus.RUNNING),
]


@pytest.mark.parametrize(("policy", "how"), ENDINGS)
def test_what_becomes_of_a_child(world: World, wid: str, policy: ParentClosePolicy, how: RunStatus) -> None:
    parent = world.start(wid)
    child = world.child(parent, policy)
    terminate(world, parent)
    wait_for(lambda: status(world, child) is how, f"the child to be {how}", interval=0.01)


def test_a_child_that_has_ended_is_named_no_more(world: World, wid: str) -> None:
    parent = world.start(wid)
    child = world.child(parent, ParentClosePolicy.ABANDON)
    world.complete(child)
    wait_for(lambda: described(world, wid).abandoned == (), "the child to go", interval=0.01)
