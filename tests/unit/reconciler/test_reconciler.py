"""The act, step by step: what it asks, what it does, what it writes; on fakes that `tests/contract` keeps honest."""

from contextlib import suppress
from dataclasses import replace

import pytest

from execution_operator.api import (
    DeletionPolicy,
    Execution,
    ExecutionStatus,
    Organization,
    OwnershipProof,
    Terminate,
)
from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import Conflict, RecordError
from execution_operator.core.reasons import Reason
from execution_operator.core.workflow.finalizer import FINALIZER
from execution_operator.core.workflow.runs import Run, TerminationRequest
from execution_operator.core.workflow.state import answered
from execution_operator.reconciler.reconciler import CONFLICTS, Reconciler
from execution_operator.reconciler.result import HELD, WOKEN, ReconcileRequest, Result
from execution_operator.reconciler.run_chain import MAX_MISSES
from execution_operator.telemetry.metrics import REQUEST_DURATION, REQUEST_STAGE_DURATION
from tests.support.builders import execution, mapping, organization, probe
from tests.support.clock import Clock, at_once
from tests.support.fake_records import FakeApiServer, FakeRecords
from tests.support.fake_temporal import FakeRun, FakeRuns, FakeTemporal, Fault, OnCancel, ParentClosePolicy

ACME = organization("acme")
OWNED = organization("acme", ownership="OrganizationId")
TERMINATED = ("cancelled", "True/Terminated", "Terminated")


class Stage:
    """An operator, an API server and Temporal, on which one Execution is played. `calls` notes what is asked."""

    def __init__(self, *organizations: Organization) -> None:
        self.clock = Clock()
        self.temporal = FakeTemporal(self.clock)
        self.server = FakeApiServer()
        self.mapping = mapping(*(organizations or (ACME,)))
        self.calls: list[str] = []
        self.suspected: list[str] = []
        self.runs = FakeRuns(self.temporal, "acme", self._note)
        self.records = FakeRecords(self.server, self._note)
        self.operator = Reconciler(
            self.mapping, lambda _: self.runs, self.records, self.suspected.append, self.clock.now
        )

    async def _note(self, call: str) -> None:
        if not call.endswith(" done"):
            self.calls.append(call)

    def play(
        self,
        execution: Execution | None = None,
        *,
        gone: bool = False,
        again: bool = False,
        since: float | None = None,
    ) -> Result:
        """Have the operator take a pass over the Execution, as it is or as it is given."""
        self.calls.clear()
        return at_once(self.operator.reconcile(ReconcileRequest(execution or self.now, gone, again, since)))

    @property
    def now(self) -> Execution:
        found = self.server.get()
        assert found is not None
        return found

    @property
    def shown(self) -> tuple[str | None, str | None, str | None]:
        """Return phase, condition Terminated and outcome."""
        status = self.now.status
        condition = status.condition("Terminated")
        answer = f"{condition.status}/{condition.reason}" if condition else None
        return status.phase, answer, status.termination.outcome if status.termination else None

    @property
    def told(self) -> list[str]:
        return [each.reason for _, each in self.server.announced]

    def fault(self, call: str, *faults: Fault | None) -> None:
        self.temporal.faults[call].extend(faults)


def asked(*organizations: Organization, **options: object) -> tuple[Stage, FakeRun]:
    """Return a stage with an open workflow, seen, whose termination is asked for."""
    stage = Stage(*organizations)
    run = stage.temporal.start("wf", attributes={"OrganizationId": "acme"}, on_cancel=OnCancel.LATER)
    stage.server.create(execution())
    stage.play()
    grace = options.get("grace", 0)
    assert isinstance(grace, int)
    stage.server.edit(stage.now, terminate=Terminate(reason="stop", grace_period_seconds=grace))
    return stage, run


# --- what it costs (design §5)


def test_ending_a_run_that_is_pinned_costs_three_calls_one_patch_and_one_event() -> None:
    stage, run = asked()
    assert stage.play() == Result(stage.now)
    assert stage.calls == ["terminate", "closing", "describe", "write_status", "record_event"]
    assert (stage.shown, stage.told) == (TERMINATED, ["Terminated"])
    assert run.closing is not None
    assert stage.now.status.terminated_at == run.closing.at


def test_ending_a_run_that_was_never_seen_pins_it_first() -> None:
    stage = Stage(OWNED)
    stage.temporal.start("wf", attributes={"OrganizationId": "acme"})
    stage.server.create(execution("stop"))
    stage.play()
    assert stage.calls == [
        *("describe", "owner", "write_status"),
        *("terminate", "closing", "describe", "write_status", "record_event"),
    ]
    assert stage.shown == TERMINATED


def test_the_templates_are_tried_in_order_until_one_finds() -> None:
    stage = Stage(organization(templates=["{executionId}", "agent-{executionId}", "team-{executionId}"]))
    stage.temporal.start("agent-wf")
    stage.temporal.start("team-wf")
    stage.server.create(execution())
    stage.play()
    assert (stage.calls, stage.now.status.workflow_id) == (["describe", "describe", "write_status"], "agent-wf")


def test_a_denied_one_asks_temporal_nothing() -> None:
    stage = Stage(organization("acme", "team-b"))
    stage.temporal.start("wf")
    stage.server.create(execution("stop"))
    stage.play()
    assert (stage.calls, stage.shown[1]) == (["write_status", "record_event"], "False/NamespaceNotMapped")


@pytest.mark.parametrize("play", ["again", "restarted"])
def test_what_is_recorded_is_neither_asked_nor_written_again(play: str) -> None:
    stage, _ = asked()
    stage.play()
    stage.play(stage.now if play == "again" else None)
    assert stage.calls == []


def test_a_late_request_is_answered_without_asking() -> None:
    stage = Stage()
    run = stage.temporal.start("wf")
    stage.server.create(execution())
    stage.temporal.complete(run)
    stage.play()
    stage.server.edit(stage.now, terminate=Terminate(reason="late"))
    stage.play()
    assert stage.calls == ["write_status", "record_event"]
    assert stage.shown == ("completed", "False/AlreadyClosed", "AlreadyClosed")


def test_an_open_one_is_looked_at_with_two_calls_and_nothing_is_written() -> None:
    stage, _ = asked()
    stage.server.edit(stage.now, terminate=None)
    stage.play()
    stage.play()
    assert stage.calls == ["closing", "describe"]


def test_one_that_has_closed_is_looked_at_with_one_call() -> None:
    stage, run = asked()
    stage.server.edit(stage.now, terminate=None)
    stage.play()
    stage.temporal.complete(run)
    stage.play()
    assert (stage.calls, stage.now.status.phase) == (["closing", "write_status"], "completed")


def test_one_that_closes_while_it_is_looked_at_is_not_taken_for_open() -> None:
    stage, run = asked()
    stage.server.edit(stage.now, terminate=None)
    stage.play()
    note = stage.runs.gate

    async def complete(call: str) -> None:
        if call == "describe":
            stage.temporal.complete(run)
        await note(call)

    stage.runs.gate = complete
    stage.play()
    assert stage.now.status.phase == "completed"


def test_before_temporal_was_asked_at_all_nothing_is_decided() -> None:
    stage = Stage()
    index = Mapping()
    index.put(ACME)
    stage.operator.mapping = index
    stage.server.create(execution("stop"))
    settlement = stage.play()
    assert (stage.calls, settlement.after is not None, settlement.failing) == ([], True, False)


# --- what goes wrong


def test_a_reply_that_is_lost_is_made_up_for_by_looking() -> None:
    stage, _ = asked()
    stage.fault("terminate", Fault.AFTER)
    assert not stage.play().failing
    assert stage.shown == TERMINATED


FAULTS = [
    pytest.param("terminate", Fault.BEFORE, "Unknown/TemporalUnavailable", id="no answer"),
    pytest.param("terminate", Fault.REFUSED, "Unknown/TerminationFailed", id="refused"),
    pytest.param("closing", Fault.BEFORE, "Unknown/TemporalUnavailable", id="terminated, but not seen"),
]


@pytest.mark.parametrize(("call", "fault", "answer"), FAULTS)
def test_what_settles_nothing_is_told_suspected_and_retried(call: str, fault: Fault, answer: str) -> None:
    stage, _ = asked()
    stage.fault(call, fault)
    assert stage.play().failing
    assert (stage.shown, stage.suspected) == (("running", answer, None), ["acme"])
    assert not stage.play().failing
    assert (stage.shown, len(stage.temporal.terminated)) == (TERMINATED, 1)


def test_retries_write_and_tell_nothing() -> None:
    stage, _ = asked()
    stage.fault("terminate", *[Fault.BEFORE] * 3)
    stage.play()
    for _ in range(2):
        assert stage.play().failing
        assert stage.calls == ["terminate", "closing"]


def test_children_that_can_not_be_seen_do_not_cost_the_record() -> None:
    stage, _ = asked()
    stage.fault("describe", Fault.BEFORE)
    stage.play()
    assert stage.shown == TERMINATED


def test_what_was_seen_is_not_lost_by_a_second_look_for_the_children() -> None:
    stage, _ = asked()
    stage.fault("terminate", Fault.AFTER)
    stage.fault("closing", None, Fault.BEFORE)
    stage.play()
    assert stage.shown == TERMINATED


def test_while_the_organizations_temporal_is_away_nothing_is_asked_and_the_return_wakes() -> None:
    stage, _ = asked()
    stage.mapping.record_probe("acme", replace(probe(ACME), fault=Reason.TEMPORAL_UNAVAILABLE))
    assert stage.play().after is WOKEN
    assert stage.calls == ["write_status", "record_event"]


def test_a_conflict_decides_anew_on_the_object_as_it_is() -> None:
    stage, run = asked()
    stale = stage.now
    stage.server.edit(stale, terminate=None)
    stage.server.edit(stage.now, execution_id="wf", terminate=Terminate(reason="reworded"))
    stage.play(stale)
    assert run.closing is not None
    assert (run.closing.reason, stage.shown) == ("stop", TERMINATED)
    assert stage.now.status.termination is not None
    assert stage.now.status.termination.reason == "stop", "what is recorded is what Temporal's history shows"


def test_an_object_that_never_stays_the_same_is_backed_off_from() -> None:
    stage, _ = asked()

    class Changing(FakeRecords):
        async def write_status(self, execution: Execution, status: ExecutionStatus) -> Execution:  # noqa: ARG002
            raise Conflict

    stage.operator.records = Changing(stage.server, stage._note)
    assert stage.play().failing
    assert stage.calls.count("read") == CONFLICTS


def test_what_was_recorded_but_not_told_is_told_by_the_pass_that_follows() -> None:
    stage, _ = asked()
    stage.server.faults["record_event"].append(Fault.BEFORE)
    with pytest.raises(RecordError):
        stage.play()
    assert (stage.shown, stage.told) == (TERMINATED, [])
    stage.play(again=True)
    assert (stage.calls, stage.told) == (["record_event"], ["Terminated"])


# --- chains


def test_a_request_follows_the_chain() -> None:
    stage, run = asked()
    following = stage.temporal.continue_as_new(stage.temporal.continue_as_new(run))
    stage.play()
    assert (stage.shown, stage.now.status.run_id) == (TERMINATED, following.run_id)


def test_a_chain_that_outruns_the_calls_is_named() -> None:
    stage, _ = asked()

    class Racing(FakeRuns):
        async def terminate(self, run, order, *, chain=False):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
            if (current := self.temporal.current("wf")) and current.open:
                self.temporal.continue_as_new(current)
            await super().terminate(run, order, chain=chain)

    stage.runs = Racing(stage.temporal, "acme", stage._note)
    stage.play()
    assert (stage.calls.count("terminate"), stage.shown) == (MAX_MISSES + 1, TERMINATED)


def test_a_continued_run_that_is_named_by_the_spec_is_followed_and_ended_in_one_pass() -> None:
    stage = Stage()
    run = stage.temporal.start("wf")
    following = stage.temporal.continue_as_new(run)
    stage.server.create(execution("stop", run_id=run.run_id))
    stage.play()
    assert (stage.shown, stage.now.status.run_id) == (TERMINATED, following.run_id)


def test_a_reset_run_and_a_reused_id_are_left_alone() -> None:
    stage, run = asked()
    reset = stage.temporal.reset(run)
    stage.play()
    assert (reset.open, stage.shown) == (True, ("cancelled", "False/AlreadyClosed", "AlreadyClosed"))


def test_a_run_that_temporal_has_forgotten_is_not_found() -> None:
    stage, run = asked()
    stage.temporal.complete(run)
    stage.temporal.delete(run)
    stage.play()
    assert stage.shown == ("running", "False/ExecutionNotFound", None)


# --- ownership


@pytest.mark.parametrize("owner", [{}, {"OrganizationId": "rival"}], ids=["none", "another's"])
def test_a_workflow_that_is_not_the_organizations_is_not_touched(owner: dict[str, str]) -> None:
    stage = Stage(OWNED)
    run = stage.temporal.start("wf", attributes=owner)
    stage.temporal.upsert(run, {"OrganizationId": "acme"})
    stage.server.create(execution("stop"))
    stage.play()
    assert (run.open, stage.shown) == (True, ("pending", "False/OrganizationMismatch", None))
    assert stage.now.status.run_id is None


def expired(*organizations: Organization, owner: str = "acme") -> Stage:
    """Play a workflow under one Organization after another, until its first run expires and its end is asked for."""
    stage = Stage(organizations[0])
    first = stage.temporal.start("wf", attributes={"OrganizationId": owner})
    stage.server.create(execution())
    for each in organizations:
        stage.mapping.put(each)
        stage.play()
    stage.temporal.continue_as_new(first)
    stage.play()
    stage.temporal.delete(first)
    stage.server.edit(stage.now, terminate=Terminate(reason="stop"))
    return stage


OTHERWISE = [
    pytest.param(organization("acme", ownership="OrganizationId", value="rival"), id="another value"),
    pytest.param(organization("acme", ownership="Owner", value="acme"), id="another attribute"),
]


@pytest.mark.parametrize("before", [(OWNED,), (ACME, OWNED), (OWNED, ACME)], ids=["always", "later", "before"])
def test_of_a_first_run_that_has_expired_the_recorded_proof_counts(before: tuple[Organization, ...]) -> None:
    stage = expired(*before)
    stage.mapping.put(OWNED)
    stage.play()
    assert stage.shown == TERMINATED
    assert stage.now.status.observed_ownership == OwnershipProof(search_attribute="OrganizationId", value="acme")


@pytest.mark.parametrize("now", OTHERWISE)
def test_another_proof_than_the_recorded_one_can_not_be_given_any_more(now: Organization) -> None:
    stage = expired(OWNED)
    stage.mapping.put(now)
    stage.play()
    assert (stage.shown[1], stage.temporal.terminated) == ("False/OrganizationMismatch", [])


def test_what_was_never_pinned_has_no_proof_once_the_first_run_has_expired() -> None:
    stage = Stage(OWNED)
    run = stage.temporal.start("wf", attributes={"OrganizationId": "acme"})
    stage.temporal.continue_as_new(run)
    stage.temporal.delete(run)
    stage.server.create(execution("stop"))
    stage.play()
    assert stage.shown[1] == "False/OrganizationMismatch"


def test_a_pin_made_without_proof_proves_nothing_once_proof_is_asked_for_and_the_first_run_has_expired() -> None:
    stage = expired(ACME, owner="rival")
    stage.mapping.put(OWNED)
    stage.play()
    assert (stage.shown[1], stage.temporal.terminated) == ("False/OrganizationMismatch", [])


# --- grace periods


def test_cancellation_is_requested_first_and_when_it_is_honoured_that_is_the_answer() -> None:
    stage, run = asked(grace=60)
    settlement = stage.play()
    assert (stage.shown, run.cancel is not None, run.open) == (("terminating", "False/GracePeriod", None), True, True)
    assert settlement.after is not None
    assert 0 < settlement.after <= 61
    stage.temporal.honour(run)
    stage.play()
    assert (stage.shown, stage.told) == (("cancelled", "True/Cancelled", "Cancelled"), ["GracePeriod", "Cancelled"])


def test_what_does_not_end_by_itself_is_terminated_when_the_time_has_passed_and_not_before() -> None:
    stage, run = asked(grace=60)
    stage.play()
    stage.clock.advance(55)
    stage.play()
    assert run.open
    assert stage.calls == ["request_cancel", "closing"], "a look writes nothing"
    stage.clock.advance(10)
    stage.play()
    assert stage.shown == TERMINATED


@pytest.mark.parametrize("lost", ["the record's reply", "the request to cancel"])
def test_an_outage_that_outlasts_the_grace_period_does_not_cost_the_workflow_its_chance(lost: str) -> None:
    stage, run = asked(grace=60)
    if lost == "the record's reply":
        stage.server.faults["write_status"].append(Fault.AFTER)
    else:
        stage.fault("request_cancel", Fault.BEFORE)
    with suppress(RecordError):
        stage.play()
    stage.clock.advance(600)
    stage.play()
    assert (run.open, run.cancel is not None, stage.shown[0]) == (True, True, "terminating")
    stage.clock.advance(62)
    stage.play()
    assert stage.shown == TERMINATED


def test_the_next_run_of_a_chain_has_no_grace_period_of_its_own() -> None:
    stage, run = asked(grace=60)
    stage.play()
    stage.clock.advance(62)
    second = stage.temporal.continue_as_new(run)
    stage.play()
    assert (second.open, stage.shown) == (False, TERMINATED)


def test_a_chain_that_goes_on_in_its_grace_period_has_had_its_chance() -> None:
    stage, run = asked(grace=60)
    stage.play()
    stage.clock.advance(30)
    second = stage.temporal.continue_as_new(run)
    stage.play()
    assert second.open
    stage.clock.advance(32)
    stage.play()
    assert (second.open, stage.shown) == (False, TERMINATED)


def test_a_request_to_cancel_that_fails_again_and_again_is_told_once() -> None:
    stage, _ = asked(grace=600)
    stage.fault("request_cancel", *[Fault.BEFORE] * 10)
    writes = []
    for _ in range(10):
        assert stage.play().failing
        writes.append(stage.calls.count("record_event"))
    assert (writes[2:], stage.shown[0]) == ([0] * 8, "terminating")
    assert not stage.play().failing


def deadline(stage: Stage) -> str | None:
    termination = stage.now.status.termination
    return termination.deadline if termination else None


def test_a_request_that_is_changed_has_its_grace_period_anew_also_if_temporal_was_away_meanwhile() -> None:
    stage, run = asked(grace=10)
    stage.play()
    before = deadline(stage)
    stage.server.edit(stage.now, terminate=Terminate(reason="stop", grace_period_seconds=3600))
    stage.mapping.record_probe("acme", replace(probe(ACME), fault=Reason.TEMPORAL_UNAVAILABLE))
    stage.play()
    stage.mapping.record_probe("acme", probe(ACME))
    stage.clock.advance(60)
    stage.play()
    assert run.open
    assert before is not None
    assert (deadline(stage) or "") > before


def test_a_request_withdrawn_in_its_grace_period_leaves_the_workflow_running() -> None:
    stage, run = asked(grace=10)
    stage.play()
    stage.server.edit(stage.now, terminate=None)
    stage.clock.advance(60)
    stage.play()
    assert (run.open, stage.shown, stage.told[-1]) == (True, ("running", None, None), "Withdrawn")


# --- children


def test_children_that_outlive_the_run_are_counted_and_named() -> None:
    stage, run = asked()
    stage.temporal.start_child(run, "orphan", ParentClosePolicy.ABANDON)
    stage.temporal.start_child(run, "gone", ParentClosePolicy.TERMINATE)
    stage.play()
    assert stage.now.status.abandoned_children == 1
    assert "orphan" in stage.server.announced[-1][1].message


# --- deletion


def deleted(policy: DeletionPolicy = DeletionPolicy.TERMINATE, **options: object) -> tuple[Stage, FakeRun | None]:
    """Return a stage whose Execution, seen before, is being deleted."""
    stage = Stage()
    run = stage.temporal.start("wf") if options.get("running", True) else None
    stage.server.create(execution(policy=policy))
    stage.play()
    stage.server.delete(stage.now)
    return stage, run


def test_only_a_deletion_that_terminates_is_held() -> None:
    for policy, held in ((DeletionPolicy.TERMINATE, [FINALIZER]), (DeletionPolicy.ORPHAN, [])):
        stage = Stage()
        stage.server.create(execution(policy=policy))
        stage.play()
        assert stage.now.metadata.finalizers == held


def test_a_deletion_that_terminates_does_so_and_lets_go() -> None:
    stage, run = deleted()
    assert stage.now.metadata.finalizers == [FINALIZER]
    stage.play()
    assert run is not None
    assert run.closing is not None
    assert run.closing.reason == "Execution team-a/run was deleted"
    assert (stage.server.get(), stage.told) == (None, ["Terminated"])


def test_a_deletion_of_what_is_not_there_lets_go() -> None:
    stage, _ = deleted(running=False)
    stage.play()
    assert stage.server.get() is None


def test_a_deletion_that_a_later_run_holds_up_is_looked_at_again_until_that_has_closed() -> None:
    stage, run = deleted()
    assert run is not None
    open_run_id = stage.temporal.continue_as_new(run)
    stage.temporal.delete(run)
    assert stage.play() == Result(stage.now, after=HELD)
    stage.temporal.complete(open_run_id)
    stage.play()
    assert stage.server.get() is None


def test_a_deletion_waits_for_temporal_and_goes_on_when_it_is_back() -> None:
    stage, run = deleted()
    stage.fault("terminate", Fault.BEFORE)
    assert stage.play().failing
    assert stage.server.get() is not None
    stage.play()
    assert run is not None
    assert (run.open, stage.server.get()) == (False, None)


def test_a_policy_that_is_taken_back_lets_go_and_leaves_the_workflow_running() -> None:
    stage, run = deleted()
    stage.server.edit(stage.now, deletion_policy=DeletionPolicy.ORPHAN)
    stage.play()
    assert run is not None
    assert (run.open, stage.server.get()) == (True, None)


def test_what_is_gone_but_was_pinned_is_carried_out_and_told() -> None:
    stage, run = asked()
    last = stage.now
    stage.server.delete(last)
    stage.play(last)
    assert (run.open, stage.told) == (False, ["Terminated"])


def test_what_is_gone_and_was_pinned_is_carried_out_also_after_a_failure() -> None:
    stage, run = asked()
    last = stage.now
    stage.server.delete(last)
    stage.fault("terminate", Fault.BEFORE)
    settlement = stage.play(last)
    assert settlement.failing
    stage.play(settlement.execution, gone=True)
    assert (run.open, stage.calls.count("write_status")) == (False, 0)


@pytest.mark.parametrize("known", [False, True], ids=["found out by the pin", "known"])
def test_what_is_gone_and_was_never_pinned_is_left_alone_now_and_later(known: bool) -> None:  # noqa: FBT001
    stage = Stage()
    last = stage.server.create(execution("stop"))
    stage.server.delete(last)
    run = stage.temporal.start("wf")
    settlement = stage.play(last, gone=known)
    assert run.open
    stage.play(settlement.execution, gone=True)
    assert run.open


def test_what_is_gone_and_closed_is_told_of_alike_by_one_who_never_saw_it_pinned() -> None:
    stage = Stage()
    stage.temporal.start("wf")
    stale = stage.server.create(execution("stop"))
    stage.play()
    stage.server.delete(stage.now)
    stage.play(stale)
    first, second = [(told.status.run_id, answered(told.status)) for told, _ in stage.server.announced]
    assert first == second


# --- the Organization changes meanwhile


@pytest.mark.parametrize("known", [False, True], ids=["never seen", "pinned"])
def test_an_organization_that_loses_the_namespace_while_the_run_is_looked_up_loses_the_act(*, known: bool) -> None:
    stage = Stage(OWNED)
    run = stage.temporal.start("wf", attributes={"OrganizationId": "acme"})
    stage.server.create(execution())
    if known:
        stage.play()
    stage.server.edit(stage.now, terminate=Terminate(reason="stop"))

    class Overtaken(FakeRuns):
        async def owner(self, run: Run, search_attribute: str) -> str | None:
            stage.mapping.put(organization("acme", "team-b", generation=2, ownership="OrganizationId"))
            return await super().owner(run, search_attribute)

    stage.runs = Overtaken(stage.temporal, "acme", stage._note)
    stage.play()
    assert (run.open, stage.shown[1]) == (True, "False/NamespaceNotMapped")


def test_what_was_recorded_is_told_also_if_the_pass_starts_over() -> None:
    stage, run = asked(grace=60)

    class Overtaken(FakeRuns):
        async def request_cancel(self, run: Run, order: TerminationRequest) -> None:
            await super().request_cancel(run, order)
            self.temporal.continue_as_new(self.temporal.ever[run.run_id])
            stage.server.edit(stage.now, deletion_policy=DeletionPolicy.TERMINATE)

    stage.runs = Overtaken(stage.temporal, "acme", stage._note)
    stage.operator.runs = lambda _: stage.runs if run.open else FakeRuns(stage.temporal, "acme", stage._note)
    stage.play()
    assert stage.told == ["GracePeriod"]


def measured() -> dict[str, float]:
    """Return how many laps were taken of each stage, and how many requests were measured."""
    return {
        sample.labels.get("stage") or sample.labels["outcome"]: sample.value
        for metric in (REQUEST_STAGE_DURATION, REQUEST_DURATION)
        for family in metric.collect()
        for sample in family.samples
        if sample.name.endswith("_count")
    }


def counted(before: dict[str, float]) -> set[str]:
    return {name for name, count in measured().items() if count > before.get(name, 0)}


def test_the_stages_of_a_request_are_measured_when_it_is_answered() -> None:
    stage, _ = asked()
    stage.fault("terminate", Fault.BEFORE)
    before = measured()
    stage.play(since=0.0)
    assert counted(before) == set()
    stage.play(since=0.0)
    assert counted(before) == {"queued", "terminated", "observed", "recorded", "Terminated"}


def test_pinning_is_a_stage_where_the_run_is_not_known_yet() -> None:
    stage = Stage()
    stage.temporal.start("wf")
    stage.server.create(execution("stop"))
    before = measured()
    stage.play(since=0.0)
    assert "pinned" in counted(before)


def test_what_depends_on_the_workflow_or_was_not_seen_to_come_is_not_measured() -> None:
    stage, run = asked(grace=60)
    before = measured()
    stage.play(since=0.0)
    stage.temporal.complete(run)
    stage.play(since=0.0)
    stage, _ = asked()
    stage.play()
    assert answered(stage.now.status)
    assert counted(before) == set()
