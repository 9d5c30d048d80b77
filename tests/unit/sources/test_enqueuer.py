"""Which Executions are worked on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from execution_operator.api import DeletionPolicy, Execution, ExecutionStatus
from execution_operator.core.authorization.authorize import Denied, ResolvedTarget
from execution_operator.core.errors import RecordError
from execution_operator.core.reasons import Reason
from execution_operator.core.status.execution_status import render
from execution_operator.core.workflow.findings import Closed, Finding, NotFound, Open
from execution_operator.core.workflow.grace_period import rfc3339
from execution_operator.core.workflow.runs import CloseEvent, Run, RunStatus
from execution_operator.reconciler.result import ReconcileRequest, Requeue, Result
from execution_operator.runtime.backoff import RELIST_BACKOFF
from execution_operator.runtime.periodic import INTERVAL_SECONDS
from execution_operator.sources.enqueuer import Enqueuer
from execution_operator.telemetry.metrics import REGISTRY
from execution_operator.workqueue.limits import FIRST_RECONCILES_PER_SECOND, MAX_FIRST_RECONCILES
from execution_operator.workqueue.queue import WorkQueue
from tests.support.builders import execution
from tests.support.clock import elapsed, run

AT, RUN = "2026-01-01T00:00:00Z", Run("wf", "r1", "r1")
NOW = datetime.fromisoformat(AT) + timedelta(hours=1)
"""The API server's time."""


def after(finding: Finding, reason: str | None) -> ExecutionStatus:
    return render(execution(reason), finding, ResolvedTarget("acme", "uid-acme", "acme"), AT)


SEEN, ASKED = after(Open(RUN), None), after(Open(RUN), "stop")
DONE = after(Closed(RUN, CloseEvent(RunStatus.TERMINATED, AT, execution_uid="uid-1")), "stop")
DENIED = after(Denied(Reason.NAMESPACE_NOT_MAPPED, "no"), "stop")
SOUGHT, SOUGHT_IDLE = after(NotFound("none"), "stop"), after(NotFound("none"), None)


@dataclass
class Harness:
    """Streams over a queue that notes what it works on, and a list of what waits.

    Attributes:
        waiting: The requests that a sweep finds.
        unseen: What a sweep finds that waits for a first look.
        errors: What the next sweeps fail with.
        answer: How a pass ends.
        done: What was worked on, and when.
        reads: What a read of each object finds; what is not here is as it was.
        slow: Seconds that a list of requests takes.
        hold: Passes wait here; open unless a test closes it.
    """

    waiting: list[Execution] = field(default_factory=list)
    unseen: list[Execution] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    leading: bool = True
    answer: Callable[[Execution], Result] = Result
    done: list[tuple[str, float]] = field(default_factory=list)
    sweeps: list[float] = field(default_factory=list)
    reads: dict[str, Execution] = field(default_factory=dict)
    worked_on: list[Execution] = field(default_factory=list)
    slow: float = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.hold.set()
        self.queue = WorkQueue(self._reconcile, self._read)
        self.enqueuer = Enqueuer(self.queue, self._select, self._unseen, lambda: NOW, leading=self.leading)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.done]

    async def _reconcile(self, work: ReconcileRequest) -> Result:
        one = work.execution
        self.done.append((one.metadata.name, elapsed()))
        self.worked_on.append(one)
        await self.hold.wait()
        return self.answer(one)

    async def _read(self, one: Execution) -> Execution:
        return self.reads.get(one.metadata.uid, one)

    async def _select(self) -> AsyncIterator[Execution]:
        self.sweeps.append(elapsed())
        await asyncio.sleep(self.slow)
        if self.errors:
            raise self.errors.pop(0)
        for one in self.waiting:
            yield one

    async def _unseen(self) -> AsyncIterator[Execution]:
        for one in self.unseen:
            yield one


def run_with_harness(
    test: Callable[[Harness], Awaitable[None]], *, sweeping: bool = False, leading: bool = True
) -> None:
    async def main() -> None:
        harness = Harness(leading=leading)
        task = asyncio.create_task(harness.enqueuer.run()) if sweeping else None
        await test(harness)
        if task:
            task.cancel()

    run(main())


REQUESTED = [
    pytest.param(execution("stop"), True, id="new"),
    pytest.param(execution("stop", status=ASKED), True, id="broken off"),
    pytest.param(execution("stop", status=DENIED), True, id="denied: it waits in the queue"),
    pytest.param(execution("stop", status=SOUGHT), False, id="not found: waits for a sweep"),
    pytest.param(execution("stop", status=SOUGHT, generation=2), True, id="not found, and was changed"),
]

OPENED = [
    pytest.param(execution(), True, id="new"),
    pytest.param(execution(status=SEEN), False, id="known"),
    pytest.param(execution(status=SEEN, generation=2), True, id="changed"),
    pytest.param(execution(status=SOUGHT_IDLE), False, id="not found: waits for a sweep"),
    pytest.param(execution(status=ASKED, generation=2), True, id="withdrawn"),
    pytest.param(execution("stop"), False, id="asked: comes by the other stream"),
    pytest.param(execution("stop", status=DONE, generation=2), True, id="answered"),
    pytest.param(
        execution(status=SEEN, generation=2, deleted=True, policy=DeletionPolicy.TERMINATE), True, id="deleted"
    ),
]


@pytest.mark.parametrize(("one", "taken"), REQUESTED)
def test_requests_are_taken_in_unless_they_wait_for_a_sweep(one: Execution, *, taken: bool) -> None:
    async def test(harness: Harness) -> None:
        harness.enqueuer.on_request(one)
        await asyncio.sleep(0.1)
        assert bool(harness.done) is taken

    run_with_harness(test)


@pytest.mark.parametrize(("one", "taken"), OPENED)
def test_open_ones_are_taken_in_where_their_status_is_behind(one: Execution, *, taken: bool) -> None:
    async def test(harness: Harness) -> None:
        harness.enqueuer.on_open_changed(one)
        await asyncio.sleep(0.1)
        assert bool(harness.done) is taken

    run_with_harness(test)


def test_what_has_left_is_looked_at_only_while_it_is_worked_on() -> None:
    async def test(harness: Harness) -> None:
        harness.answer = lambda one: Result(one, requeue=Requeue.WITH_BACKOFF)
        harness.enqueuer.on_request_removed("other", 1)
        harness.enqueuer.on_request(execution("stop"))
        await asyncio.sleep(0)
        harness.enqueuer.on_request_removed("uid-1", 2)
        await asyncio.sleep(0.05)
        assert harness.names == ["run", "run"]

    run_with_harness(test)


WITHDRAWALS: list[Callable[[Enqueuer], None]] = [
    lambda enqueuer: enqueuer.on_open_changed(execution(status=SEEN, generation=3, version=6)),
    lambda enqueuer: enqueuer.on_settled("uid-1", 6),
    lambda enqueuer: enqueuer.on_request_removed("uid-1", 6),
]
LATE_REQUEST = execution("stop", status=SEEN, generation=2, version=5)


@pytest.mark.parametrize("withdraw", WITHDRAWALS, ids=["told as work", "told as quiet", "told by the requests"])
def test_a_request_that_comes_after_its_withdrawal_is_let_go(withdraw: Callable[[Enqueuer], None]) -> None:
    async def test(harness: Harness) -> None:
        withdraw(harness.enqueuer)
        await asyncio.sleep(1)
        harness.worked_on.clear()
        harness.enqueuer.on_request(LATE_REQUEST)
        await asyncio.sleep(1)
        assert harness.worked_on == []
        harness.enqueuer.on_request(again := execution("stop", status=SEEN, generation=4, version=7))
        await asyncio.sleep(1)
        assert harness.worked_on == [again]

    run_with_harness(test)


def test_a_sweep_that_lists_what_was_withdrawn_meanwhile_lets_it_go() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(1)
        harness.enqueuer.on_open_changed(execution(status=SEEN, generation=3, version=6))
        await asyncio.sleep(1)
        harness.worked_on.clear()
        harness.waiting = [LATE_REQUEST]
        harness.enqueuer.requeue_namespaces({"team-a"})
        await asyncio.sleep(1)
        assert harness.worked_on == []

    run_with_harness(test, sweeping=True)


def test_the_echo_of_what_led_to_the_answer_is_let_go() -> None:
    async def test(harness: Harness) -> None:
        harness.answer = lambda _: Result(execution("stop", status=DONE, generation=2, version=7))
        harness.enqueuer.on_request(LATE_REQUEST)
        await asyncio.sleep(1)
        harness.enqueuer.on_request(execution("stop", status=ASKED, generation=2, version=6))
        await asyncio.sleep(1)
        assert harness.worked_on == [LATE_REQUEST]

    run_with_harness(test)


def test_a_sweep_comes_at_once_and_then_at_intervals() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(INTERVAL_SECONDS * 10)
        pauses = [later - earlier for earlier, later in zip(harness.sweeps, harness.sweeps[1:], strict=False)]
        assert harness.sweeps[0] == 0
        assert len(pauses) >= 7
        assert all(INTERVAL_SECONDS * 0.8 <= pause <= INTERVAL_SECONDS * 1.21 for pause in pauses)

    run_with_harness(test, sweeping=True)


def test_a_sweep_finds_what_the_streams_missed_even_if_it_was_not_found() -> None:
    async def test(harness: Harness) -> None:
        harness.waiting = [execution("stop", status=SOUGHT)]
        await asyncio.sleep(1)
        assert harness.names == ["run"]

    run_with_harness(test, sweeping=True)


def test_a_wake_brings_a_sweep_at_once_and_works_on_what_waits_for_its_time() -> None:
    async def test(harness: Harness) -> None:
        harness.answer = lambda one: Result(one, requeue_after=1000.0)
        harness.waiting = [execution("stop"), execution("stop", uid="b", name="b", namespace="team-b")]
        await asyncio.sleep(10)
        harness.done.clear()
        harness.enqueuer.requeue_namespaces({"team-b"})
        await asyncio.sleep(1)
        assert harness.done == [("b", 10.0)]

    run_with_harness(test, sweeping=True)


def test_wakes_that_come_together_are_one_sweep() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(10)
        harness.enqueuer.requeue_namespaces({"team-a"})
        harness.enqueuer.requeue_namespaces({"team-b"})
        await asyncio.sleep(1)
        assert harness.sweeps == [0.0, 10.0]

    run_with_harness(test, sweeping=True)


def test_a_sweep_that_failed_is_soon_done_again_and_wakes_whom_it_was_to_wake() -> None:
    async def test(harness: Harness) -> None:
        harness.answer = lambda one: Result(one, requeue_after=1000.0)
        harness.waiting = [execution("stop")]
        await asyncio.sleep(10)
        harness.done.clear()
        harness.errors = [RecordError("away"), RecordError("away")]
        harness.enqueuer.requeue_namespaces({"team-a"})
        await asyncio.sleep(5)
        assert harness.names == ["run"]

    run_with_harness(test, sweeping=True)


def test_sweeps_that_fail_for_days_are_done_again() -> None:
    async def test(harness: Harness) -> None:
        harness.errors = [RecordError("away")] * 2000
        harness.waiting = [execution("stop")]
        await asyncio.sleep(2000 * RELIST_BACKOFF.delays[-1])
        assert harness.names == ["run"]

    run_with_harness(test, sweeping=True)


def test_a_regular_sweep_that_failed_is_soon_done_again() -> None:
    async def test(harness: Harness) -> None:
        harness.errors = [RecordError("away")]
        harness.waiting = [execution("stop")]
        await asyncio.sleep(5)
        assert harness.names == ["run"]

    run_with_harness(test, sweeping=True)


def missed() -> float:
    return REGISTRY.get_sample_value("execution_operator_requests_found_by_relist_total") or 0


def written(at: str) -> list[dict[str, object]]:
    return [{"time": at, "fieldsV1": {"f:spec": {"f:terminate": {}}}}]


OLD = execution("stop", managed_fields=written(AT))
MISSED = [
    pytest.param(OLD, 1, id="old, and new to the queue"),
    pytest.param(execution(), 0, id="nothing asked"),
    pytest.param(OLD.model_copy(update={"status": SOUGHT}), 0, id="left to the sweeps"),
]


@pytest.mark.parametrize(("one", "count"), MISSED)
def test_a_request_that_a_sweep_has_to_find_was_missed(one: Execution, count: int) -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(1)
        before, harness.waiting = missed(), [one]
        harness.answer = lambda one: Result(one, requeue=Requeue.ON_EVENT)
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        assert missed() == before + count

    run_with_harness(test, sweeping=True)


def test_what_was_just_made_may_be_on_its_way_in_the_stream() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(1)
        before, just_now = missed(), rfc3339(NOW)
        harness.waiting = [execution("stop", managed_fields=written(just_now))]
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        assert (harness.names[:1], missed()) == (["run"], before)

    run_with_harness(test, sweeping=True)


def test_nothing_was_missed_before_the_first_sweep() -> None:
    async def test(harness: Harness) -> None:
        before, harness.waiting = missed(), [OLD]
        await asyncio.sleep(1)
        assert (harness.names, missed()) == (["run"], before)

    run_with_harness(test, sweeping=True)


def test_requests_whose_workflow_nobody_knows_are_counted_by_the_sweep() -> None:
    async def test(harness: Harness) -> None:
        harness.waiting = [execution("stop", status=SOUGHT), execution(status=SOUGHT_IDLE), execution("stop")]
        await asyncio.sleep(1)
        assert harness.enqueuer.missing_workflows == 1

    run_with_harness(test, sweeping=True)


def test_a_request_that_was_withdrawn_since_a_sweep_began_is_not_taken_in_by_it() -> None:
    async def test(harness: Harness) -> None:
        class Withdrawn(list[Execution]):
            def __iter__(self) -> Iterator[Execution]:
                harness.enqueuer.on_request_removed("uid-1", 2)
                return super().__iter__()

        harness.waiting = Withdrawn([execution("stop")])
        await asyncio.sleep(1)
        assert (len(harness.sweeps), harness.names) == (1, [])
        harness.waiting = [execution("stop", version=3)]
        await asyncio.sleep(INTERVAL_SECONDS * 2)
        assert "run" in harness.names

    run_with_harness(test, sweeping=True)


# --- first looks


def crowd(size: int) -> list[Execution]:
    return [execution(uid=f"uid-{number}", name=f"run-{number}") for number in range(size)]


def test_first_looks_are_taken_in_as_room_comes() -> None:
    async def test(harness: Harness) -> None:
        harness.unseen, most = crowd(3 * MAX_FIRST_RECONCILES), 0
        while len(harness.done) < 3 * MAX_FIRST_RECONCILES:
            await asyncio.sleep(0.1)
            most = max(most, len(harness.queue))
        assert most <= MAX_FIRST_RECONCILES + 1
        assert elapsed() == pytest.approx(3 * MAX_FIRST_RECONCILES / FIRST_RECONCILES_PER_SECOND, rel=0.1)
        assert sorted(harness.names) == sorted(one.metadata.name for one in harness.unseen)

    run_with_harness(test, sweeping=True)


def test_what_a_watch_brings_beyond_the_room_is_left_to_a_sweep() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(1)
        harness.unseen = crowd(3 * MAX_FIRST_RECONCILES)
        for start in range(0, len(harness.unseen), MAX_FIRST_RECONCILES):  # a page after the other
            for one in harness.unseen[start : start + MAX_FIRST_RECONCILES]:
                harness.enqueuer.on_open_changed(one)
            await asyncio.sleep(0.01)
        assert len(harness.queue) <= MAX_FIRST_RECONCILES + 1
        await asyncio.sleep(2 * 3 * MAX_FIRST_RECONCILES / FIRST_RECONCILES_PER_SECOND)
        assert set(harness.names) == {one.metadata.name for one in harness.unseen}

    run_with_harness(test, sweeping=True)


def test_a_request_is_not_held_back() -> None:
    async def test(harness: Harness) -> None:
        harness.unseen = crowd(3 * MAX_FIRST_RECONCILES)
        await asyncio.sleep(1)
        harness.enqueuer.on_request(execution("stop", uid="asked", name="asked"))
        await asyncio.sleep(0.1)
        assert "asked" in harness.names

    run_with_harness(test, sweeping=True)


def test_a_wake_looks_again_at_what_was_never_seen() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(10)
        harness.unseen = crowd(1)
        harness.enqueuer.requeue_namespaces({"team-a"})
        await asyncio.sleep(1)
        assert harness.names == ["run-0"]

    run_with_harness(test, sweeping=True)


def test_a_first_look_that_is_under_way_when_its_namespace_is_woken_is_followed_by_another() -> None:
    async def test(harness: Harness) -> None:
        await asyncio.sleep(10)
        harness.slow = 100
        harness.enqueuer.requeue_namespaces(set())
        await asyncio.sleep(1)  # the requests are being listed, for long
        harness.hold.clear()
        harness.enqueuer.on_open_changed(execution())
        await asyncio.sleep(0.1)
        harness.unseen = [execution(status=SOUGHT_IDLE, version=2)]
        harness.answer = lambda _: Result(harness.unseen[0])
        harness.enqueuer.requeue_namespaces({"team-a"})
        await asyncio.sleep(1)
        harness.hold.set()
        await asyncio.sleep(1)
        assert harness.names == ["run", "run"]

    run_with_harness(test, sweeping=True)


# --- standing by


BEHIND = execution(status=SEEN, generation=2, version=5)


def test_who_stands_by_does_nothing_until_it_leads() -> None:
    async def test(harness: Harness) -> None:
        harness.enqueuer.on_open_changed(BEHIND)
        await asyncio.sleep(1)
        assert (harness.done, len(harness.queue)) == ([], 0)
        harness.enqueuer.start_leading()
        harness.enqueuer.on_open_changed(execution(status=SEEN, generation=2, uid="later", name="later"))
        await asyncio.sleep(1)
        assert harness.names == ["run", "later"]

    run_with_harness(test, leading=False)


def test_a_deletion_that_was_noted_is_read_before_it_is_acted_on() -> None:
    async def test(harness: Harness) -> None:
        noted = execution(status=SEEN, version=5, deleted=True, policy=DeletionPolicy.TERMINATE)
        harness.enqueuer.on_open_changed(noted)
        harness.reads["uid-1"] = now = execution(status=SEEN, version=6, deleted=True)
        harness.enqueuer.start_leading()
        await asyncio.sleep(1)
        assert harness.worked_on == [now]

    run_with_harness(test, leading=False)


def test_what_another_has_settled_meanwhile_is_forgotten() -> None:
    async def test(harness: Harness) -> None:
        harness.enqueuer.on_open_changed(BEHIND)
        harness.enqueuer.on_open_changed(execution(status=SEEN, version=6))
        harness.enqueuer.on_open_changed(execution(status=SEEN, generation=2, version=5, uid="b", name="b"))
        harness.enqueuer.on_settled("b", 6)
        harness.enqueuer.start_leading()
        await asyncio.sleep(1)
        assert harness.names == []

    run_with_harness(test, leading=False)


def test_what_left_one_watch_and_came_by_another_in_the_same_version_is_not_forgotten() -> None:
    async def test(harness: Harness) -> None:
        harness.enqueuer.on_open_changed(BEHIND)
        harness.enqueuer.on_settled("uid-1", 5)
        harness.enqueuer.start_leading()
        await asyncio.sleep(1)
        assert harness.names == ["run"]

    run_with_harness(test, leading=False)


def test_who_stands_by_leaves_first_looks_to_the_list() -> None:
    async def test(harness: Harness) -> None:
        harness.enqueuer.on_open_changed(execution())
        harness.enqueuer.start_leading()
        await asyncio.sleep(1)
        assert harness.names == []

    run_with_harness(test, leading=False)


def test_a_request_that_came_with_a_hint_is_not_acted_on_if_it_was_withdrawn_meanwhile() -> None:
    async def test(harness: Harness) -> None:
        withdrawn = execution(status=SEEN, version=2)
        harness.reads[withdrawn.metadata.uid] = withdrawn
        harness.enqueuer.on_request_removed(withdrawn.metadata.uid, 2)
        harness.enqueuer.on_run_changed(execution("stop", status=SEEN, version=1))
        await asyncio.sleep(1)
        assert harness.worked_on == [withdrawn]

    run_with_harness(test)


def test_a_hint_without_a_request_is_not_read_again() -> None:
    async def test(harness: Harness) -> None:
        hinted = execution(status=SEEN, version=1)
        harness.reads[hinted.metadata.uid] = execution(status=SEEN, version=2)
        harness.enqueuer.on_run_changed(hinted)
        await asyncio.sleep(1)
        assert harness.worked_on == [hinted]

    run_with_harness(test)
