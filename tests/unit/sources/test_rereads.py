"""Each added Execution is read once, and a failed read does not hold up the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Iterable

import pytest

from execution_operator.api import Execution
from execution_operator.core.errors import ObjectNotFound, RecordError, Unreadable
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.runtime.backoff import REREAD_BACKOFF
from execution_operator.sources.reread_batches import (
    MAX_ERRORS_PER_ATTEMPT,
    MAX_PARALLEL_READS,
    MAX_PARALLEL_READS_PER_NAMESPACE,
)
from execution_operator.sources.rereads import (
    MAX_OPEN_FOR_EACH_LISTED,
    MAX_PARALLEL_LISTS,
    MAX_QUEUED,
    MAX_QUEUED_PER_NAMESPACE,
    MIN_EXECUTIONS_TO_LIST,
    SINGLE_READS_EVERY,
    RereadQueue,
)
from execution_operator.workqueue.limits import InFlight
from tests.support.builders import execution
from tests.support.clock import elapsed, run

FIRST_RETRY, LAST_RETRY = REREAD_BACKOFF.delays[0], REREAD_BACKOFF.delays[-1]
"""The first and the longest delay of a retry."""


class Harness:
    """The API server, and the Executions that were passed on.

    Attributes:
        faults: What a read of a UID fails with, or a list of a namespace.
        finds: How often each was read singly.
        lists: How often each namespace was listed.
        most: The most reads, and the most lists, that were under way at once.
        handed: UIDs, and when each was handed on.
        slow: Namespace whose reconciles do not end from then on, or all.
        begun: The namespaces of the reconciles that have not ended.
        slowness: Seconds that a read of a UID takes, or a list of a namespace.
        refuses: UID that can't be handed on.
    """

    def __init__(self) -> None:
        self.runs = OpenRuns()
        self.faults: dict[str, Exception] = {}
        self.reads, self.lists, self.now, self.most = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        self.passed_on: list[tuple[str, float]] = []
        self.slow = self.refuses = ""
        self.slowness: dict[str, float] = {}
        self.in_flight, self.begun = InFlight(), list[str]()
        self.rereads = RereadQueue(self._find, self._select, self.runs, self._on_read, self.in_flight)

    def open(self, *uids: str, namespace: str = "team-a") -> list[Reference]:
        """Have Executions that pin an open run."""
        references = [Reference(uid, namespace, uid, "acme", f"run-{uid}") for uid in uids]
        for one in references:
            self.runs.put(one)
        return references

    @property
    def uids(self) -> list[str]:
        return sorted(uid for uid, _ in self.passed_on)

    def end_reconciles(self) -> None:
        while self.begun:
            self.in_flight.end(self.begun.pop())

    def _on_read(self, one: Execution) -> None:
        if one.metadata.uid == self.refuses:
            raise KeyError(self.refuses)
        if self.slow in (one.metadata.namespace, "all"):
            self.in_flight.begin(one.metadata.namespace)
            self.begun.append(one.metadata.namespace)
        self.passed_on.append((one.metadata.uid, elapsed()))

    async def _find(self, namespace: str, name: str, uid: str) -> Execution:
        self.reads[uid] += 1
        await self._take_time("reads", uid)
        if fault := self.faults.get(uid):
            raise fault
        return execution(uid=uid, name=name, namespace=namespace)

    async def _select(self, namespace: str, uids: Container[str]) -> AsyncIterator[Execution]:
        self.lists[namespace] += 1
        await self._take_time("lists", namespace)
        if fault := self.faults.get(namespace):
            raise fault
        for one in list(self.runs.of_organization("acme")):
            if one.namespace == namespace and one.uid in uids:
                yield execution(uid=one.uid, name=one.name, namespace=namespace)
                if fault := self.faults.get(f"after {one.uid}"):
                    raise fault

    async def _take_time(self, what: str, of: str) -> None:
        self.now[what] += 1
        self.most |= self.now
        await asyncio.sleep(self.slowness.get(of, 0.001))
        self.now[what] -= 1


def run_with_harness(test: Callable[[Harness], Awaitable[None]]) -> None:
    async def main() -> None:
        at = Harness()
        task = asyncio.create_task(at.rereads.run())
        await test(at)
        assert not task.done()
        task.cancel()

    run(main())


def some(count: int, prefix: str = "uid") -> list[str]:
    return [f"{prefix}-{number:04}" for number in range(count)]


@pytest.mark.parametrize(
    ("added", "there", "listed"),
    [
        pytest.param(MIN_EXECUTIONS_TO_LIST - 1, MIN_EXECUTIONS_TO_LIST - 1, False, id="few"),
        pytest.param(
            MIN_EXECUTIONS_TO_LIST,
            MIN_EXECUTIONS_TO_LIST * MAX_OPEN_FOR_EACH_LISTED,
            True,
            id="many of those there are",
        ),
        pytest.param(
            MIN_EXECUTIONS_TO_LIST,
            MIN_EXECUTIONS_TO_LIST * MAX_OPEN_FOR_EACH_LISTED + 1,
            False,
            id="few of those there are",
        ),
    ],
)
def test_many_of_a_namespace_are_listed(added: int, there: int, listed: bool) -> None:  # noqa: FBT001
    async def test(at: Harness) -> None:
        at.rereads.add(at.open(*some(there))[:added])
        await asyncio.sleep(1)
        assert at.uids == some(added)
        assert (at.lists.total(), at.reads.total()) == ((1, 0) if listed else (0, added))

    run_with_harness(test)


def test_one_that_cannot_be_read_holds_up_no_other_and_is_tried_again_later_each_time() -> None:
    async def test(at: Harness) -> None:
        at.faults["bad"] = RecordError("500")
        at.rereads.add(at.open("bad", "good"))
        await asyncio.sleep(0.5)
        at.rereads.add(at.open("later", "elsewhere"))
        await asyncio.sleep(3600)
        assert at.uids == ["elsewhere", "good", "later"]
        assert all(when < 1 for _, when in at.passed_on)
        assert 3600 / LAST_RETRY <= at.reads["bad"] <= 3600 / LAST_RETRY + 6
        del at.faults["bad"]
        await asyncio.sleep(LAST_RETRY + 1)
        assert "bad" in at.uids

    run_with_harness(test)


@pytest.mark.parametrize(
    ("failing", "lists", "reads"), [(1, 2, 0), (9, SINGLE_READS_EVERY - 1, 2 * MIN_EXECUTIONS_TO_LIST - 12)]
)
def test_a_list_that_failed_is_made_again_and_single_reads_get_past_one_that_fails_again(
    failing: int, lists: int, reads: int
) -> None:
    async def test(at: Harness) -> None:
        uids = some(2 * MIN_EXECUTIONS_TO_LIST)
        for uid in uids[10 : 10 + failing]:
            at.faults[f"after {uid}"] = RecordError("500")
        at.rereads.add(at.open(*uids))
        await asyncio.sleep(FIRST_RETRY + 1)
        assert at.uids[:11] == uids[:11]
        await asyncio.sleep(LAST_RETRY)
        assert (at.uids, at.lists.total(), at.reads.total()) == (uids, lists, reads)

    run_with_harness(test)


def test_what_is_told_again_before_it_was_read_is_read_once_and_once_more_afterwards() -> None:
    async def test(at: Harness) -> None:
        for pause in (0, 1, 1):
            at.rereads.add(at.open("one"))
            await asyncio.sleep(pause)
        assert at.uids == ["one", "one"]

    run_with_harness(test)


@pytest.mark.parametrize("added", [1, MIN_EXECUTIONS_TO_LIST])
def test_a_next_run_that_closes_while_the_first_waits_is_not_lost(added: int) -> None:
    async def test(at: Harness) -> None:
        uids = some(added)
        at.faults |= {uid: RecordError("503") for uid in (*uids, f"after {uids[0]}")}
        at.rereads.add(at.open(*uids))
        await asyncio.sleep(2 * FIRST_RETRY)
        nexts = [Reference(uid, "team-a", uid, "acme", f"next-{uid}") for uid in uids]
        for one in nexts:
            at.runs.put(one)
        at.rereads.add(nexts)
        at.faults.clear()
        await asyncio.sleep(LAST_RETRY)
        assert set(at.uids) == set(uids)

    run_with_harness(test)


def test_what_is_not_open_any_more_is_not_tried_again() -> None:
    async def test(at: Harness) -> None:
        at.faults = {"closed": RecordError("500"), "gone": ObjectNotFound()}
        at.rereads.add(at.open("closed", "gone"))
        await asyncio.sleep(FIRST_RETRY / 2)
        at.runs.drop("closed")
        await asyncio.sleep(3600)
        assert at.reads == {"closed": 1, "gone": 1}
        assert at.passed_on == []

    run_with_harness(test)


def test_what_a_list_does_not_hold_is_let_go() -> None:
    async def test(at: Harness) -> None:
        added = at.open(*some(MIN_EXECUTIONS_TO_LIST))
        at.runs.drop(added[0].uid)
        at.rereads.add(added)
        await asyncio.sleep(1)
        assert at.uids == some(MIN_EXECUTIONS_TO_LIST)[1:]
        at.rereads.add(at.open(added[0].uid))
        await asyncio.sleep(1)
        assert (at.uids, at.reads.total()) == (some(MIN_EXECUTIONS_TO_LIST), 1)

    run_with_harness(test)


def test_one_that_does_not_fit_its_schema_is_left_out_once(caplog: pytest.LogCaptureFixture) -> None:
    async def test(at: Harness) -> None:
        at.faults["odd"] = Unreadable("spec: Field required")
        at.rereads.add(at.open("odd", "good"))
        await asyncio.sleep(3600)
        assert (at.uids, at.reads["odd"]) == (["good"], 1)

    run_with_harness(test)
    assert caplog.messages == ["an Execution is left out until it fits its schema: spec: Field required"]


def test_a_reading_that_breaks_is_told_of_and_made_again() -> None:
    async def test(at: Harness) -> None:
        at.faults["odd"] = KeyError("metadata")
        at.rereads.add(at.open("odd", "good"))
        at.rereads.add(at.open("other", namespace="team-b"))
        await asyncio.sleep(FIRST_RETRY / 2)
        assert "other" in at.uids
        del at.faults["odd"]
        await asyncio.sleep(FIRST_RETRY)
        assert at.uids == ["good", "odd", "other"]

    run_with_harness(test)


def test_a_namespace_with_many_to_look_at_holds_up_no_other() -> None:
    async def test(at: Harness) -> None:
        at.slow = "team-a"
        at.open(*some(10 * MIN_EXECUTIONS_TO_LIST, "open"))  # so that a list does not pay
        at.rereads.add(at.open(*some(2 * MAX_QUEUED_PER_NAMESPACE)))
        await asyncio.sleep(1)
        at.rereads.add(at.open("other", namespace="team-b"))
        await asyncio.sleep(1)
        assert (
            MAX_QUEUED_PER_NAMESPACE
            <= len(at.passed_on) - 1
            < MAX_QUEUED_PER_NAMESPACE + MAX_PARALLEL_READS_PER_NAMESPACE
        )
        assert at.uids[0] == "other"
        at.end_reconciles()
        at.slow = ""
        await asyncio.sleep(2)
        assert len(at.passed_on) == 2 * MAX_QUEUED_PER_NAMESPACE + 1

    run_with_harness(test)


def test_the_first_told_come_first() -> None:
    async def test(at: Harness) -> None:
        at.open(*some(10 * MIN_EXECUTIONS_TO_LIST, "open"))
        first, later = some(MIN_EXECUTIONS_TO_LIST - 1), some(MIN_EXECUTIONS_TO_LIST - 1, "later")
        at.rereads.add(at.open(*first))
        await asyncio.sleep(0)
        at.rereads.add(at.open(*later))
        await asyncio.sleep(1)
        assert len(at.passed_on) == len(first) + len(later)
        assert {uid for uid, _ in at.passed_on[: len(first) - MAX_PARALLEL_READS_PER_NAMESPACE]} <= set(first)

    run_with_harness(test)


def test_what_is_told_while_others_wait_is_listed_with_them() -> None:
    async def test(at: Harness) -> None:
        at.slow = "team-a"
        at.open(*some(MIN_EXECUTIONS_TO_LIST, "open"))
        at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST)))
        await asyncio.sleep(1)
        at.slow = ""
        at.rereads.add(at.open("single"))
        at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST, "more")))
        await asyncio.sleep(1)
        assert len(at.passed_on) == MIN_EXECUTIONS_TO_LIST
        at.end_reconciles()
        await asyncio.sleep(1)
        assert (len(at.passed_on), at.lists.total(), at.reads.total()) == (2 * MIN_EXECUTIONS_TO_LIST + 1, 2, 0)

    run_with_harness(test)


def test_while_many_wait_to_be_looked_at_nothing_is_listed() -> None:
    async def test(at: Harness) -> None:
        at.slow = "all"
        at.rereads.add(at.open(*some(MAX_QUEUED)))
        await asyncio.sleep(1)
        at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST, "other"), namespace="team-b"))
        await asyncio.sleep(1)
        assert dict(at.lists) == {"team-a": 1}
        assert MAX_PARALLEL_READS_PER_NAMESPACE <= at.reads.total() < 2 * MAX_PARALLEL_READS_PER_NAMESPACE
        at.end_reconciles()
        at.slow = ""
        await asyncio.sleep(1)
        assert len(at.passed_on) == MAX_QUEUED + MIN_EXECUTIONS_TO_LIST

    run_with_harness(test)


def test_of_very_many_as_many_are_listed_as_may_wait_to_be_looked_at() -> None:
    async def test(at: Harness) -> None:
        at.slow = "all"
        for namespace in ("team-a", "team-b"):
            at.rereads.add(at.open(*some(MAX_QUEUED, namespace), namespace=namespace))
        await asyncio.sleep(1)
        assert MAX_QUEUED <= len(at.passed_on) < MAX_QUEUED + 2 * MAX_PARALLEL_READS_PER_NAMESPACE

    run_with_harness(test)


def test_a_slow_read_holds_up_nothing_that_is_told_later() -> None:
    async def test(at: Harness) -> None:
        at.slowness["slow"] = 10
        at.rereads.add(at.open("slow"))
        await asyncio.sleep(1)
        at.rereads.add(at.open(*some(MAX_PARALLEL_READS_PER_NAMESPACE)))
        await asyncio.sleep(1)
        assert at.uids == some(MAX_PARALLEL_READS_PER_NAMESPACE)
        await asyncio.sleep(10)
        assert set(at.uids) == {"slow", *some(MAX_PARALLEL_READS_PER_NAMESPACE)}

    run_with_harness(test)


def test_slow_lists_of_others_do_not_hold_up_a_namespace() -> None:
    async def test(at: Harness) -> None:
        for number in range(MAX_PARALLEL_LISTS):
            at.slowness[f"slow-{number}"] = 10
            at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST, f"slow-{number}"), namespace=f"slow-{number}"))
        await asyncio.sleep(1)
        at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST)))
        await asyncio.sleep(1)
        assert at.uids == some(MIN_EXECUTIONS_TO_LIST)

    run_with_harness(test)


def test_what_could_not_be_handed_on_is_read_again(caplog: pytest.LogCaptureFixture) -> None:
    async def test(at: Harness) -> None:
        at.refuses = "odd"
        at.rereads.add(at.open("odd"))
        await asyncio.sleep(FIRST_RETRY / 2)
        at.refuses = ""
        await asyncio.sleep(FIRST_RETRY)
        assert (at.uids, at.rereads.failed) == (["odd"], 0)

    run_with_harness(test)
    assert caplog.messages == ["reading Executions of namespace team-a failed"]


def test_what_closes_while_it_waits_for_its_turn_is_not_read() -> None:
    async def test(at: Harness) -> None:
        at.slow = "team-a"
        at.open(*some(10 * MIN_EXECUTIONS_TO_LIST, "open"))
        at.rereads.add(at.open(*some(2 * MAX_QUEUED_PER_NAMESPACE)))
        await asyncio.sleep(1)
        read = at.reads.total()
        for uid in some(2 * MAX_QUEUED_PER_NAMESPACE):
            at.runs.drop(uid)
        at.end_reconciles()
        await asyncio.sleep(1)
        assert at.reads.total() == read

    run_with_harness(test)


def test_what_failed_in_an_outage_is_tried_again_together(caplog: pytest.LogCaptureFixture) -> None:
    async def test(at: Harness) -> None:
        at.faults = dict.fromkeys(["team-a", *some(600)], RecordError("the API server is away"))
        for uid in some(600):
            at.rereads.add(at.open(uid))
            await asyncio.sleep(1)
        assert len(caplog.messages) < 20
        assert at.rereads.failed == pytest.approx(600, abs=LAST_RETRY + 1)
        at.reads.clear()
        await asyncio.sleep(2 * LAST_RETRY)
        assert at.passed_on == []
        at.faults.clear()
        at.reads.clear()
        at.lists.clear()
        await asyncio.sleep(LAST_RETRY + 1)
        assert at.uids == some(600)
        assert (at.lists.total(), at.reads.total()) in ((1, 0), (0, 600))
        assert at.rereads.failed == 0

    run_with_harness(test)


def test_in_an_outage_tries_of_many_are_given_up_soon() -> None:
    async def test(at: Harness) -> None:
        added = some(20 * MIN_EXECUTIONS_TO_LIST)
        at.open(*some(MAX_OPEN_FOR_EACH_LISTED * len(added), "open"))  # so that a list does not pay
        at.faults = dict.fromkeys(added, RecordError("the API server is away"))
        at.rereads.add(at.open(*added))
        await asyncio.sleep(LAST_RETRY)
        at.reads.clear()
        await asyncio.sleep(10 * LAST_RETRY)
        assert (at.rereads.failed, at.passed_on) == (len(added), [])
        assert at.reads.total() < 12 * (MAX_ERRORS_PER_ATTEMPT + MAX_PARALLEL_READS_PER_NAMESPACE)
        at.faults.clear()
        await asyncio.sleep(LAST_RETRY + 1)
        assert at.uids == added

    run_with_harness(test)


def test_more_that_fail_for_ever_than_end_a_try_do_not_stand_before_the_others() -> None:
    async def test(at: Harness) -> None:
        added = some(5 * MAX_ERRORS_PER_ATTEMPT)
        at.open(*some(MAX_OPEN_FOR_EACH_LISTED * len(added), "open"))
        at.faults = dict.fromkeys(added, RecordError("500"))
        at.rereads.add(at.open(*added))
        await asyncio.sleep(FIRST_RETRY / 2)
        for uid in added[2 * MAX_ERRORS_PER_ATTEMPT :]:
            del at.faults[uid]
        await asyncio.sleep(10 * LAST_RETRY)
        assert at.uids == added[2 * MAX_ERRORS_PER_ATTEMPT :]

    run_with_harness(test)


def test_a_namespace_is_listed_once_at_a_time() -> None:
    async def test(at: Harness) -> None:
        at.faults["team-a"] = RecordError("500")
        at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST)))
        await asyncio.sleep(FIRST_RETRY / 2)
        at.faults.clear()
        at.slowness["team-a"] = 10
        await asyncio.sleep(FIRST_RETRY)
        at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST, "more")))
        await asyncio.sleep(20)
        assert len(at.passed_on) == 2 * MIN_EXECUTIONS_TO_LIST
        assert (at.most["lists"], at.rereads.failed) == (1, 0)

    run_with_harness(test)


def names(prefix: str) -> Iterable[str]:
    return (f"{prefix}-{number}" for number in range(30))


def test_only_so_many_are_read_and_listed_at_once() -> None:
    async def test(at: Harness) -> None:
        for namespace in names("team"):
            at.rereads.add(at.open(*some(MIN_EXECUTIONS_TO_LIST, namespace), namespace=namespace))
            at.rereads.add(at.open(*names(f"single-{namespace}"), namespace=f"other-{namespace}"))
        await asyncio.sleep(1)
        assert at.most == {"reads": MAX_PARALLEL_READS, "lists": MAX_PARALLEL_LISTS}
        assert len(at.passed_on) == 30 * (MIN_EXECUTIONS_TO_LIST + 30)

    run_with_harness(test)
