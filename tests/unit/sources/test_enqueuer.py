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
class Scene:
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
        self.streams = Enqueuer(self.queue, self._select, self._unseen, lambda: NOW, leading=self.leading)

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


def scene(test: Callable[[Scene], Awaitable[None]], *, sweeping: bool = False, leading: bool = True) -> None:
    async def main() -> None:
        at = Scene(leading=leading)
        task = asyncio.create_task(at.streams.run()) if sweeping else None
        await test(at)
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
    async def test(at: Scene) -> None:
        at.streams.requested(one)
        await asyncio.sleep(0.1)
        assert bool(at.done) is taken

    scene(test)


@pytest.mark.parametrize(("one", "taken"), OPENED)
def test_open_ones_are_taken_in_where_their_status_is_behind(one: Execution, *, taken: bool) -> None:
    async def test(at: Scene) -> None:
        at.streams.changed(one)
        await asyncio.sleep(0.1)
        assert bool(at.done) is taken

    scene(test)


def test_what_has_left_is_looked_at_only_while_it_is_worked_on() -> None:
    async def test(at: Scene) -> None:
        at.answer = lambda one: Result(one, requeue=Requeue.WITH_BACKOFF)
        at.streams.left("other", 1)
        at.streams.requested(execution("stop"))
        await asyncio.sleep(0)
        at.streams.left("uid-1", 2)
        await asyncio.sleep(0.05)
        assert at.names == ["run", "run"]

    scene(test)


WITHDRAWALS: list[Callable[[Enqueuer], None]] = [
    lambda streams: streams.changed(execution(status=SEEN, generation=3, version=6)),
    lambda streams: streams.calm("uid-1", 6),
    lambda streams: streams.left("uid-1", 6),
]
LATE_REQUEST = execution("stop", status=SEEN, generation=2, version=5)


@pytest.mark.parametrize("withdraw", WITHDRAWALS, ids=["told as work", "told as quiet", "told by the requests"])
def test_a_request_that_comes_after_its_withdrawal_is_let_go(withdraw: Callable[[Enqueuer], None]) -> None:
    async def test(at: Scene) -> None:
        withdraw(at.streams)
        await asyncio.sleep(1)
        at.worked_on.clear()
        at.streams.requested(LATE_REQUEST)
        await asyncio.sleep(1)
        assert at.worked_on == []
        at.streams.requested(again := execution("stop", status=SEEN, generation=4, version=7))
        await asyncio.sleep(1)
        assert at.worked_on == [again]

    scene(test)


def test_a_sweep_that_lists_what_was_withdrawn_meanwhile_lets_it_go() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(1)
        at.streams.changed(execution(status=SEEN, generation=3, version=6))
        await asyncio.sleep(1)
        at.worked_on.clear()
        at.waiting = [LATE_REQUEST]
        at.streams.wake({"team-a"})
        await asyncio.sleep(1)
        assert at.worked_on == []

    scene(test, sweeping=True)


def test_the_echo_of_what_led_to_the_answer_is_let_go() -> None:
    async def test(at: Scene) -> None:
        at.answer = lambda _: Result(execution("stop", status=DONE, generation=2, version=7))
        at.streams.requested(LATE_REQUEST)
        await asyncio.sleep(1)
        at.streams.requested(execution("stop", status=ASKED, generation=2, version=6))
        await asyncio.sleep(1)
        assert at.worked_on == [LATE_REQUEST]

    scene(test)


def test_a_sweep_comes_at_once_and_then_at_intervals() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(INTERVAL_SECONDS * 10)
        pauses = [later - earlier for earlier, later in zip(at.sweeps, at.sweeps[1:], strict=False)]
        assert at.sweeps[0] == 0
        assert len(pauses) >= 7
        assert all(INTERVAL_SECONDS * 0.8 <= pause <= INTERVAL_SECONDS * 1.21 for pause in pauses)

    scene(test, sweeping=True)


def test_a_sweep_finds_what_the_streams_missed_even_if_it_was_not_found() -> None:
    async def test(at: Scene) -> None:
        at.waiting = [execution("stop", status=SOUGHT)]
        await asyncio.sleep(1)
        assert at.names == ["run"]

    scene(test, sweeping=True)


def test_a_wake_brings_a_sweep_at_once_and_works_on_what_waits_for_its_time() -> None:
    async def test(at: Scene) -> None:
        at.answer = lambda one: Result(one, requeue_after=1000.0)
        at.waiting = [execution("stop"), execution("stop", uid="b", name="b", namespace="team-b")]
        await asyncio.sleep(10)
        at.done.clear()
        at.streams.wake({"team-b"})
        await asyncio.sleep(1)
        assert at.done == [("b", 10.0)]

    scene(test, sweeping=True)


def test_wakes_that_come_together_are_one_sweep() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(10)
        at.streams.wake({"team-a"})
        at.streams.wake({"team-b"})
        await asyncio.sleep(1)
        assert at.sweeps == [0.0, 10.0]

    scene(test, sweeping=True)


def test_a_sweep_that_failed_is_soon_done_again_and_wakes_whom_it_was_to_wake() -> None:
    async def test(at: Scene) -> None:
        at.answer = lambda one: Result(one, requeue_after=1000.0)
        at.waiting = [execution("stop")]
        await asyncio.sleep(10)
        at.done.clear()
        at.errors = [RecordError("away"), RecordError("away")]
        at.streams.wake({"team-a"})
        await asyncio.sleep(5)
        assert at.names == ["run"]

    scene(test, sweeping=True)


def test_sweeps_that_fail_for_days_are_done_again() -> None:
    async def test(at: Scene) -> None:
        at.errors = [RecordError("away")] * 2000
        at.waiting = [execution("stop")]
        await asyncio.sleep(2000 * RELIST_BACKOFF.delays[-1])
        assert at.names == ["run"]

    scene(test, sweeping=True)


def test_a_regular_sweep_that_failed_is_soon_done_again() -> None:
    async def test(at: Scene) -> None:
        at.errors = [RecordError("away")]
        at.waiting = [execution("stop")]
        await asyncio.sleep(5)
        assert at.names == ["run"]

    scene(test, sweeping=True)


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
    async def test(at: Scene) -> None:
        await asyncio.sleep(1)
        before, at.waiting = missed(), [one]
        at.answer = lambda one: Result(one, requeue=Requeue.ON_EVENT)
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        assert missed() == before + count

    scene(test, sweeping=True)


def test_what_was_just_made_may_be_on_its_way_in_the_stream() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(1)
        before, just_now = missed(), rfc3339(NOW)
        at.waiting = [execution("stop", managed_fields=written(just_now))]
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        assert (at.names[:1], missed()) == (["run"], before)

    scene(test, sweeping=True)


def test_nothing_was_missed_before_the_first_sweep() -> None:
    async def test(at: Scene) -> None:
        before, at.waiting = missed(), [OLD]
        await asyncio.sleep(1)
        assert (at.names, missed()) == (["run"], before)

    scene(test, sweeping=True)


def test_requests_whose_workflow_nobody_knows_are_counted_by_the_sweep() -> None:
    async def test(at: Scene) -> None:
        at.waiting = [execution("stop", status=SOUGHT), execution(status=SOUGHT_IDLE), execution("stop")]
        await asyncio.sleep(1)
        assert at.streams.not_found == 1

    scene(test, sweeping=True)


def test_a_request_that_was_withdrawn_since_a_sweep_began_is_not_taken_in_by_it() -> None:
    async def test(at: Scene) -> None:
        class Withdrawn(list[Execution]):
            def __iter__(self) -> Iterator[Execution]:
                at.streams.left("uid-1", 2)
                return super().__iter__()

        at.waiting = Withdrawn([execution("stop")])
        await asyncio.sleep(1)
        assert (len(at.sweeps), at.names) == (1, [])
        at.waiting = [execution("stop", version=3)]
        await asyncio.sleep(INTERVAL_SECONDS * 2)
        assert "run" in at.names

    scene(test, sweeping=True)


# --- first looks


def crowd(size: int) -> list[Execution]:
    return [execution(uid=f"uid-{number}", name=f"run-{number}") for number in range(size)]


def test_first_looks_are_taken_in_as_room_comes() -> None:
    async def test(at: Scene) -> None:
        at.unseen, most = crowd(3 * MAX_FIRST_RECONCILES), 0
        while len(at.done) < 3 * MAX_FIRST_RECONCILES:
            await asyncio.sleep(0.1)
            most = max(most, len(at.queue))
        assert most <= MAX_FIRST_RECONCILES + 1
        assert elapsed() == pytest.approx(3 * MAX_FIRST_RECONCILES / FIRST_RECONCILES_PER_SECOND, rel=0.1)
        assert sorted(at.names) == sorted(one.metadata.name for one in at.unseen)

    scene(test, sweeping=True)


def test_what_a_watch_brings_beyond_the_room_is_left_to_a_sweep() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(1)
        at.unseen = crowd(3 * MAX_FIRST_RECONCILES)
        for start in range(0, len(at.unseen), MAX_FIRST_RECONCILES):  # a page after the other
            for one in at.unseen[start : start + MAX_FIRST_RECONCILES]:
                at.streams.changed(one)
            await asyncio.sleep(0.01)
        assert len(at.queue) <= MAX_FIRST_RECONCILES + 1
        await asyncio.sleep(2 * 3 * MAX_FIRST_RECONCILES / FIRST_RECONCILES_PER_SECOND)
        assert set(at.names) == {one.metadata.name for one in at.unseen}

    scene(test, sweeping=True)


def test_a_request_is_not_held_back() -> None:
    async def test(at: Scene) -> None:
        at.unseen = crowd(3 * MAX_FIRST_RECONCILES)
        await asyncio.sleep(1)
        at.streams.requested(execution("stop", uid="asked", name="asked"))
        await asyncio.sleep(0.1)
        assert "asked" in at.names

    scene(test, sweeping=True)


def test_a_wake_looks_again_at_what_was_never_seen() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(10)
        at.unseen = crowd(1)
        at.streams.wake({"team-a"})
        await asyncio.sleep(1)
        assert at.names == ["run-0"]

    scene(test, sweeping=True)


def test_a_first_look_that_is_under_way_when_its_namespace_is_woken_is_followed_by_another() -> None:
    async def test(at: Scene) -> None:
        await asyncio.sleep(10)
        at.slow = 100
        at.streams.wake(set())
        await asyncio.sleep(1)  # the requests are being listed, for long
        at.hold.clear()
        at.streams.changed(execution())
        await asyncio.sleep(0.1)
        at.unseen = [execution(status=SOUGHT_IDLE, version=2)]
        at.answer = lambda _: Result(at.unseen[0])
        at.streams.wake({"team-a"})
        await asyncio.sleep(1)
        at.hold.set()
        await asyncio.sleep(1)
        assert at.names == ["run", "run"]

    scene(test, sweeping=True)


# --- standing by


BEHIND = execution(status=SEEN, generation=2, version=5)


def test_who_stands_by_does_nothing_until_it_leads() -> None:
    async def test(at: Scene) -> None:
        at.streams.changed(BEHIND)
        await asyncio.sleep(1)
        assert (at.done, len(at.queue)) == ([], 0)
        at.streams.lead()
        at.streams.changed(execution(status=SEEN, generation=2, uid="later", name="later"))
        await asyncio.sleep(1)
        assert at.names == ["run", "later"]

    scene(test, leading=False)


def test_a_deletion_that_was_noted_is_read_before_it_is_acted_on() -> None:
    async def test(at: Scene) -> None:
        noted = execution(status=SEEN, version=5, deleted=True, policy=DeletionPolicy.TERMINATE)
        at.streams.changed(noted)
        at.reads["uid-1"] = now = execution(status=SEEN, version=6, deleted=True)
        at.streams.lead()
        await asyncio.sleep(1)
        assert at.worked_on == [now]

    scene(test, leading=False)


def test_what_another_has_settled_meanwhile_is_forgotten() -> None:
    async def test(at: Scene) -> None:
        at.streams.changed(BEHIND)
        at.streams.changed(execution(status=SEEN, version=6))
        at.streams.changed(execution(status=SEEN, generation=2, version=5, uid="b", name="b"))
        at.streams.calm("b", 6)
        at.streams.lead()
        await asyncio.sleep(1)
        assert at.names == []

    scene(test, leading=False)


def test_what_left_one_watch_and_came_by_another_in_the_same_version_is_not_forgotten() -> None:
    async def test(at: Scene) -> None:
        at.streams.changed(BEHIND)
        at.streams.calm("uid-1", 5)
        at.streams.lead()
        await asyncio.sleep(1)
        assert at.names == ["run"]

    scene(test, leading=False)


def test_who_stands_by_leaves_first_looks_to_the_list() -> None:
    async def test(at: Scene) -> None:
        at.streams.changed(execution())
        at.streams.lead()
        await asyncio.sleep(1)
        assert at.names == []

    scene(test, leading=False)


def test_a_request_that_came_with_a_hint_is_not_acted_on_if_it_was_withdrawn_meanwhile() -> None:
    async def test(at: Scene) -> None:
        withdrawn = execution(status=SEEN, version=2)
        at.reads[withdrawn.metadata.uid] = withdrawn
        at.streams.left(withdrawn.metadata.uid, 2)
        at.streams.hinted(execution("stop", status=SEEN, version=1))
        await asyncio.sleep(1)
        assert at.worked_on == [withdrawn]

    scene(test)


def test_a_hint_without_a_request_is_not_read_again() -> None:
    async def test(at: Scene) -> None:
        hinted = execution(status=SEEN, version=1)
        at.reads[hinted.metadata.uid] = execution(status=SEEN, version=2)
        at.streams.hinted(hinted)
        await asyncio.sleep(1)
        assert at.worked_on == [hinted]

    scene(test)
