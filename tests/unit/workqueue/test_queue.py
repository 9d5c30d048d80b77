"""The queue: one worker an object, the newest state wins, failures back off, a settled object leaves the queue."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from execution_operator.api import Execution, ExecutionStatus
from execution_operator.core.errors import RecordError
from execution_operator.reconciler.result import ReconcileRequest, Requeue, Result
from execution_operator.runtime.backoff import RECONCILE_BACKOFF
from execution_operator.workqueue.item import version
from execution_operator.workqueue.limits import FIRST_RECONCILES_PER_SECOND, InFlight, Limits, Priority
from execution_operator.workqueue.queue import WorkQueue
from tests.support import builders
from tests.support.clock import elapsed, run

execution = partial(builders.execution, "cost")

FIRST_BACKOFF, LONGEST_BACKOFF = RECONCILE_BACKOFF.delays[0], RECONCILE_BACKOFF.delays[-1]
"""The first and the longest delay after a failure, in seconds, without jitter."""

PINNED = ExecutionStatus(workflow_id="wf", run_id="run-1")

Outcome = Callable[[Execution], Result | BaseException]


def settled(one: Execution) -> Result:
    return Result(one)


def failing(one: Execution) -> Result:
    return Result(one, requeue=Requeue.WITH_BACKOFF)


@dataclass
class Harness:
    """A queue whose reconciles wait at a gate, and whose reads return what a test stored.

    Attributes:
        answer: The result of a reconcile.
        gate: Reconciles wait here. It is open unless a test closes it.
        passes: The version and the time of each reconcile.
        stored: What a read returns.
        gone: Whether a read finds no object.
        meanwhile: Called during a read.
        now: The UIDs of the reconciles under way.
        most: The highest number of reconciles under way.
    """

    answer: Outcome = settled
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    passes: list[tuple[int, float]] = field(default_factory=list)
    since: list[float | None] = field(default_factory=list)
    reads: int = 0
    stored: Execution | Exception | None = None
    gone: bool = False
    meanwhile: Callable[[], None] = lambda: None
    now: list[str] = field(default_factory=list)
    most: int = 0
    slots: int = 100

    def __post_init__(self) -> None:
        self.gate.set()
        limits = dict.fromkeys(Priority, Limits(self.slots, 25))
        self.queue = WorkQueue(self._reconcile, self._read, limits)

    @property
    def versions(self) -> list[int]:
        return [one for one, _ in self.passes]

    async def _reconcile(self, work: ReconcileRequest) -> Result:
        one = work.execution
        self.since.append(work.enqueued_at)
        assert one.metadata.uid not in self.now, "two workers on one object"
        self.now.append(one.metadata.uid)
        self.most = max(self.most, len(self.now))
        self.passes.append((version(one), elapsed()))
        try:
            await self.gate.wait()
        finally:
            self.now.remove(one.metadata.uid)
        answer = self.answer(one)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def _read(self, one: Execution) -> Execution | None:
        self.reads += 1
        found = self.stored
        self.meanwhile()
        if isinstance(found, Exception):
            raise found
        return None if self.gone else found or one


async def idle(turns: int = 20) -> None:
    """Let everything run that can run now."""
    for _ in range(turns):
        await asyncio.sleep(0)


def run_with_harness(test: Callable[[Harness], Awaitable[None]], **options: Any) -> None:
    """Run a test with a harness, in a loop whose timers never wait."""

    async def main() -> None:
        await test(Harness(**options))

    run(main())


def test_a_settled_object_is_forgotten() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        assert len(harness.queue) == 1
        await idle()
        assert (harness.versions, len(harness.queue)) == ([1], 0)

    run_with_harness(test)


def test_one_worker_for_each_object_and_as_many_at_once_as_there_are_slots() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        for number in range(5):
            harness.queue.add(execution(uid=f"uid-{number}"))
            harness.queue.add(execution(uid=f"uid-{number}", version=2))
        await idle()
        assert len(harness.now) == 3
        harness.gate.set()
        await idle()
        assert (harness.most, len(harness.passes), len(harness.queue)) == (3, 5, 0)

    run_with_harness(test, slots=3)


def test_the_newest_state_wins() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution(version=1))
        await idle()
        for number in (2, 4, 3):
            harness.queue.add(execution(version=number))
        harness.gate.set()
        await idle()
        assert harness.versions == [1, 4]

    run_with_harness(test)


def test_a_state_that_is_already_being_worked_on_is_not_worked_on_again() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution(version=2))
        await idle()
        harness.queue.add(execution(version=2))
        harness.queue.add(execution(version=1))
        harness.gate.set()
        await idle()
        assert harness.versions == [2]

    run_with_harness(test)


def test_the_echo_of_an_own_write_is_not_worked_on() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution(version=1))
        await idle()
        harness.queue.add(execution(version=2))
        harness.gate.set()
        await idle()
        assert (harness.versions, len(harness.queue)) == ([1], 0)

    run_with_harness(test, answer=lambda _: Result(execution(version=2)))


def test_a_state_newer_than_an_own_write_is_worked_on() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution(version=1))
        await idle()
        harness.queue.add(execution(version=3))
        harness.gate.set()
        await idle()
        assert harness.versions == [1, 3]

    run_with_harness(test, answer=lambda one: Result(execution(version=max(2, version(one)))))


# --- failures


async def failures(harness: Harness, seconds: float) -> list[float]:
    """Return the seconds between the reconciles of an object that keeps failing."""
    harness.queue.add(execution())
    await asyncio.sleep(seconds)
    times = [time for _, time in harness.passes]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def test_failures_wait_longer_each_time_up_to_a_limit() -> None:
    async def test(harness: Harness) -> None:
        pauses = await failures(harness, 1000)
        for number, pause in enumerate(pauses):
            longest = min(FIRST_BACKOFF * 2**number, LONGEST_BACKOFF)
            assert longest * 0.499 <= pause <= longest * 1.001
        assert len(pauses) > 20
        assert harness.reads == len(pauses)

    run_with_harness(test, answer=failing)


def test_failures_go_on_for_days() -> None:
    """A Temporal that refuses over a weekend."""

    async def test(harness: Harness) -> None:
        pauses = await failures(harness, 3 * 86400.0)
        assert len(pauses) > 2000
        assert max(pauses[-1000:]) <= LONGEST_BACKOFF
        harness.answer = settled
        await asyncio.sleep(LONGEST_BACKOFF)
        assert len(harness.queue) == 0

    run_with_harness(test, answer=failing)


ERRORS = [RecordError("the API server is away"), ValueError("a bug"), asyncio.CancelledError()]


@pytest.mark.parametrize("error", ERRORS, ids=["away", "bug", "a cancellation that nobody asked for"])
def test_an_error_is_a_failure(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async def test(harness: Harness) -> None:
        assert len(await failures(harness, 10)) > 3
        assert len(harness.queue) == 1

    run_with_harness(test, answer=lambda _: error)
    assert "team-a/run" in caplog.text


def test_a_failing_read_is_a_failure_too() -> None:
    async def test(harness: Harness) -> None:
        harness.stored = RecordError("away")
        harness.queue.add(execution())
        await asyncio.sleep(10)
        assert harness.reads > 3
        assert len(harness.passes) == 1

    run_with_harness(test, answer=failing)


def test_a_retry_works_on_what_is_stored_then() -> None:
    async def test(harness: Harness) -> None:
        harness.stored = execution(version=7)
        harness.queue.add(execution())
        await asyncio.sleep(1)
        assert (harness.versions, len(harness.queue)) == ([1, 7], 0)

    run_with_harness(test, answer=lambda one: Result(one, Requeue.WITH_BACKOFF if version(one) == 1 else Requeue.NEVER))


def test_a_new_state_does_not_wait_for_the_retry_and_starts_the_backoff_anew() -> None:
    async def test(harness: Harness) -> None:
        await failures(harness, 200)
        before, harness.passes[:] = elapsed(), []
        harness.queue.add(execution(version=2))
        await asyncio.sleep(FIRST_BACKOFF * 1.1)
        assert next(time - before for _, time in harness.passes) == 0
        assert len(harness.passes) == 2

    run_with_harness(test, answer=failing)


def test_the_same_state_waits_for_the_retry() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        await idle()
        harness.queue.add(execution())
        await idle()
        assert len(harness.passes) == 1

    run_with_harness(test, answer=failing)


def test_a_success_ends_the_backoff() -> None:
    answers = [True, True, True, False, True]

    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        await asyncio.sleep(20)
        pauses = [b - a for (_, a), (_, b) in zip(harness.passes, harness.passes[1:], strict=False)]
        assert pauses[3] == pytest.approx(5.0)
        assert pauses[4] <= FIRST_BACKOFF

    def answer(one: Execution) -> Result:
        if not answers:
            return Result(one)
        return Result(one, requeue=Requeue.WITH_BACKOFF) if answers.pop(0) else Result(one, requeue_after=5.0)

    run_with_harness(test, answer=answer)


# --- delays and events


def test_a_delayed_reconcile_reads_again() -> None:
    async def test(harness: Harness) -> None:
        harness.stored = execution(version=3)
        harness.queue.add(execution())
        await asyncio.sleep(7)
        assert harness.passes == [(1, 0.0), (3, pytest.approx(5.0))]

    run_with_harness(test, answer=lambda one: Result(one, requeue_after=5.0))


def test_an_item_that_waits_for_an_event_stays_without_a_timer() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        await asyncio.sleep(1000)
        assert (len(harness.passes), len(harness.queue)) == (1, 1)
        harness.queue.requeue_inactive({"team-z"})
        await idle()
        assert len(harness.passes) == 1
        harness.queue.requeue_inactive({"team-a"})
        await idle()
        assert (len(harness.passes), harness.reads) == (2, 1)

    run_with_harness(test, answer=lambda one: Result(one, requeue=Requeue.ON_EVENT))


@pytest.mark.parametrize(
    ("requeue", "after"), [(Requeue.ON_EVENT, None), (Requeue.NEVER, 1000.0), (Requeue.NEVER, None)]
)
def test_an_object_is_busy_until_its_pass_has_ended(requeue: Requeue, after: float | None) -> None:
    async def test(harness: Harness) -> None:
        assert not harness.queue.is_active("uid-1")
        harness.queue.add(execution())
        assert harness.queue.is_active("uid-1")
        await idle()
        assert (len(harness.passes), harness.queue.is_active("uid-1")) == (1, False)

    run_with_harness(test, answer=lambda one: Result(one, requeue, after))


def test_an_item_that_waits_for_an_event_is_reconciled_when_it_is_added_again() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        await idle()
        harness.queue.add(execution())
        await idle()
        assert len(harness.passes) == 2

    run_with_harness(test, answer=lambda one: Result(one, requeue=Requeue.ON_EVENT))


def test_requeue_inactive_includes_items_that_wait_for_a_retry() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        await idle()
        harness.queue.requeue_inactive({"team-a"})
        await idle()
        assert (len(harness.passes), elapsed()) == (2, 0.0)

    run_with_harness(test, answer=failing)


def test_requeue_active_adds_one_reconcile_for_each() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution())
        await idle()
        harness.queue.requeue_active({"team-b"})
        harness.queue.requeue_active({"team-a"})
        harness.gate.set()
        await idle()
        assert (len(harness.passes), harness.reads) == (2, 1)

    run_with_harness(test)


# --- removed, add_tombstone and requeue


def test_a_removal_reads_again_and_ends_a_delay() -> None:
    async def test(harness: Harness) -> None:
        harness.stored = execution(version=9)
        harness.queue.add(execution())
        await idle()
        harness.queue.removed("uid-1", 2)
        await idle()
        assert (harness.versions, elapsed()) == ([1, 9], 0.0)

    run_with_harness(test, answer=failing)


def test_a_removal_during_a_reconcile_causes_another() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution())
        await idle()
        harness.queue.removed("uid-1", 2)
        harness.gate.set()
        await idle()
        assert (len(harness.passes), harness.reads) == (2, 1)

    run_with_harness(test)


def test_a_removal_by_our_own_write_causes_no_reconcile() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution())
        await idle()
        harness.queue.removed("uid-1", 2)
        harness.gate.set()
        await idle()
        assert (len(harness.passes), harness.reads, len(harness.queue)) == (1, 0, 0)

    run_with_harness(test, answer=lambda _: Result(execution(version=2)))


def test_the_last_state_of_a_deleted_object_is_what_counts() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(builders.execution("stop", version=1))
        await idle()
        harness.queue.add_tombstone(builders.execution(version=2))
        await idle()
        assert (harness.versions, harness.reads) == ([1, 2], 1)

    run_with_harness(test, answer=failing)


def test_a_tombstone_is_never_reconciled_without_a_read() -> None:
    """It is the state before under the version of now: a patch from there would pass for one of now."""

    async def test(harness: Harness) -> None:
        harness.queue.add(execution(version=1))
        await idle()
        harness.stored = RecordError("away")
        harness.queue.add_tombstone(execution(version=2))
        await idle()
        harness.stored = execution(version=3)
        await asyncio.sleep(FIRST_BACKOFF)
        assert harness.versions == [1, 3]

    run_with_harness(test, answer=failing)


def test_a_tombstone_that_arrives_during_a_read_is_read_again() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution(version=1))
        await idle()

        def left() -> None:
            harness.stored, harness.meanwhile = execution(version=4), lambda: None
            harness.queue.add_tombstone(execution(version=3))

        harness.stored, harness.meanwhile = execution(version=2), left
        harness.queue.removed("uid-1", 2)
        await idle()
        assert (harness.versions, harness.reads) == ([1, 4], 2)

    run_with_harness(test, answer=failing)


@pytest.mark.parametrize(
    ("one", "counted"),
    [
        pytest.param(builders.execution(status=PINNED), 1, id="a repeat reconcile"),
        pytest.param(builders.execution(), 0, id="a first reconcile"),
        pytest.param(builders.execution("stop", status=PINNED), 0, id="a request"),
    ],
)
def test_repeat_reconciles_are_counted_and_others_wait_for_room(one: Execution, counted: int) -> None:
    async def test(harness: Harness) -> None:
        async with asyncio.timeout(1):
            await harness.queue.repeat_reconciles.wait_below("team-a", 1)
        harness.gate.clear()
        harness.queue.add(one)
        await idle()
        assert harness.queue.repeat_reconciles.total == counted
        waiting = asyncio.create_task(harness.queue.repeat_reconciles.wait_below("team-a", 1))
        elsewhere = asyncio.create_task(harness.queue.repeat_reconciles.wait_below("team-b", 1))
        await idle()
        assert (waiting.done(), elsewhere.done()) == (not counted, True)
        harness.gate.set()
        await idle()
        assert (waiting.done(), harness.queue.repeat_reconciles.total) == (True, 0)

    run_with_harness(test)


def test_each_waiter_continues_below_its_own_limit() -> None:
    async def main() -> None:
        in_flight = InFlight()
        for _ in range(3):
            in_flight.begin("a")
        one, three = (asyncio.create_task(in_flight.wait_below("a", most)) for most in (1, 3))
        await idle()
        in_flight.end("a")
        await idle()
        assert (one.done(), three.done()) == (False, True)
        in_flight.end("a")
        in_flight.end("a")
        await idle()
        assert one.done()

    run(main())


def test_a_removal_of_an_unknown_object_is_ignored() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.removed("uid-1", 1)
        harness.queue.add_tombstone(execution())
        await idle()
        assert (harness.passes, len(harness.queue)) == ([], 0)

    run_with_harness(test)


def test_requeue_enqueues_an_unknown_object_and_ends_a_delay() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.requeue(execution())
        await idle()
        harness.queue.requeue(execution())
        await idle()
        assert (len(harness.passes), elapsed()) == (2, 0.0)

    run_with_harness(test, answer=failing)


def test_requeue_during_a_reconcile_causes_another() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution())
        await idle()
        harness.queue.requeue(execution())
        harness.gate.set()
        await idle()
        assert len(harness.passes) == 2

    run_with_harness(test)


def test_requeue_with_an_old_state_reconciles_the_newest() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution(version=2))
        await idle()
        harness.queue.requeue(execution(version=1))
        await idle()
        assert harness.versions == [2, 2]

    run_with_harness(test, answer=failing)


def test_a_stale_state_of_an_unknown_object_is_read_first() -> None:
    async def test(harness: Harness) -> None:
        harness.stored = execution(version=3)
        harness.queue.requeue(execution(version=1), stale=True)
        await idle()
        assert (harness.versions, harness.reads) == ([3], 1)

    run_with_harness(test)


def test_a_stale_state_of_a_deleted_object_is_dropped() -> None:
    async def test(harness: Harness) -> None:
        harness.gone = True
        harness.queue.requeue(execution(), stale=True)
        await idle()
        assert (harness.passes, harness.reads, len(harness.queue)) == ([], 1, 0)

    run_with_harness(test)


def test_a_tombstone_of_a_deleted_object_replaces_a_stale_state() -> None:
    async def test(harness: Harness) -> None:
        harness.gone = True
        harness.queue.requeue(execution(version=1), stale=True)
        harness.queue.add_tombstone(execution(version=2))
        await idle()
        assert harness.versions == [2]

    run_with_harness(test)


def test_an_object_whose_read_failed_is_not_reconciled_from_an_old_state() -> None:
    async def test(harness: Harness) -> None:
        harness.answer = failing
        harness.queue.add(known := execution(version=1))
        await asyncio.sleep(0.01)
        harness.passes.clear()
        harness.stored = RecordError("away")
        harness.queue.removed("uid-1", 2)
        await asyncio.sleep(0.01)
        harness.queue.requeue(known, stale=True)
        await asyncio.sleep(0.01)
        assert (harness.passes, harness.reads) == ([], 2)

    run_with_harness(test)


def test_a_stale_state_whose_read_failed_stays_stale() -> None:
    async def test(harness: Harness) -> None:
        harness.stored = RecordError("away")
        harness.queue.requeue(execution(version=1), stale=True)
        await idle()
        harness.stored, harness.gone = None, True
        harness.queue.requeue(execution(version=1), stale=True)
        await idle()
        assert (harness.passes, len(harness.queue)) == ([], 0)

    run_with_harness(test)


def test_the_echo_of_an_own_write_does_not_undo_a_removal() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution(version=1))
        await idle()
        harness.queue.removed("uid-1", 3)
        harness.queue.add(execution(version=2))
        harness.gate.set()
        await idle()
        assert len(harness.passes) == 2

    run_with_harness(test, answer=lambda _: Result(execution(version=2)))


# --- the end


def test_draining_lets_passes_finish_and_takes_nothing_more_up() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution(version=1))
        await idle()
        harness.queue.add(execution(version=2))
        asyncio.get_running_loop().call_later(1.0, harness.gate.set)
        await harness.queue.drain(5.0)
        assert harness.versions == [1]
        assert elapsed() == pytest.approx(1.0)

    run_with_harness(test)


def test_draining_ends_what_takes_too_long() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        harness.queue.add(execution())
        await idle()
        await harness.queue.drain(5.0)
        assert harness.now == []
        assert elapsed() == pytest.approx(5.0)

    run_with_harness(test)


def test_draining_stops_what_waits() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(execution())
        await idle()
        await harness.queue.drain(5.0)
        assert elapsed() == 0.0
        await asyncio.sleep(1000)
        assert len(harness.passes) == 1

    run_with_harness(test, answer=failing)


def test_an_object_without_a_version_is_the_oldest() -> None:
    one = execution()
    assert version(one.model_copy(update={"metadata": one.metadata.model_copy(update={"resource_version": ""})})) == 0


# --- requests and routine reconciles


def test_a_request_does_not_wait_behind_routine_reconciles() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        for number in range(5):
            harness.queue.add(builders.execution(uid=f"routine-{number}", status=PINNED))
        await idle()
        harness.queue.add(execution(uid="request"))
        await idle()
        assert harness.now == ["routine-0", "routine-1", "request"]

    run_with_harness(test, slots=2)


def test_a_waiting_routine_reconcile_that_becomes_a_request_goes_ahead() -> None:
    async def test(harness: Harness) -> None:
        harness.gate.clear()
        for number in range(5):
            harness.queue.add(builders.execution(uid=f"routine-{number}", status=PINNED))
        await idle()
        harness.queue.add(execution(uid="routine-4", version=2, status=PINNED))
        await idle()
        assert harness.now == ["routine-0", "routine-1", "routine-4"]
        harness.gate.set()
        await idle(100)
        assert sorted(one for one, _ in harness.passes) == [1, 1, 1, 1, 2]
        assert len(harness.queue) == 0

    run_with_harness(test, slots=2)


def test_first_reconciles_keep_to_their_rate() -> None:
    async def test(harness: Harness) -> None:
        for number in range(11):
            harness.queue.add(builders.execution(uid=f"uid-{number}"))
        await asyncio.sleep(60)
        times = [time for _, time in harness.passes]
        assert len(times) == 11
        assert times[-1] - times[0] == pytest.approx(10 / FIRST_RECONCILES_PER_SECOND)

    run_with_harness(test)


def test_the_time_of_a_request_is_when_it_was_first_seen() -> None:
    async def test(harness: Harness) -> None:
        harness.queue.add(builders.execution())
        await asyncio.sleep(0)
        harness.gate.clear()
        harness.queue.add(execution(version=2))
        await asyncio.sleep(1)
        harness.answer = failing
        harness.gate.set()
        await asyncio.sleep(10)
        harness.queue.add(execution(version=9))
        await asyncio.sleep(10)
        routine, *asked = harness.since
        assert routine is None
        assert len(asked) > 3
        assert len(set(asked)) == 1
        assert asked[0] is not None

    run_with_harness(test)
