"""The feed: nothing missed, nothing told twice, whatever visibility does."""

import asyncio
from collections.abc import Sequence

import pytest

from execution_operator.core.authorization.mapping import Mapping
from execution_operator.core.errors import TemporalError
from execution_operator.index.open_runs import OpenRuns, Reference
from execution_operator.runtime.backoff import POLL_BACKOFF
from execution_operator.telemetry.metrics import REGISTRY
from execution_operator.visibility.backfill import NAMES, ROLL_CALL
from execution_operator.visibility.cursor import COUNT, LONG_COUNT, OVERLAP
from execution_operator.visibility.poller import MANY, REST, NamespacePoller, VisibilityPoller
from tests.support.builders import mapping, organization, probe
from tests.support.clock import run
from tests.support.visibility import FakeVisibility


class Bench:
    """A feed, its visibility, and what it told."""

    def __init__(self, executions: int = 3) -> None:
        self.runs, self.visibility = OpenRuns(), FakeVisibility()
        self.told: list[str] = []
        self.seconds = 0.0
        self.busy = set[str]()
        for number in range(executions):
            self.runs.put(Reference(f"uid-{number}", "team-a", f"ex-{number}", "acme", f"run-{number}"))
        self.feed = NamespacePoller(self.runs, self._tell, lambda: self.seconds, self.busy.__contains__)

    def _tell(self, references: Sequence[Reference]) -> None:
        self.told += sorted(reference.name for reference in references)

    def look(self, organizations: frozenset[str] = frozenset({"acme"})) -> list[str]:
        """Look once; return what was told by it."""
        self.told = []

        async def all_ways() -> None:
            feed, failures = self.feed, list[TemporalError]()
            for way in (feed.look, feed.look_back, feed.look_at_pauses, feed.call_the_roll):
                try:
                    await way(set(organizations), self.visibility)
                except TemporalError as error:
                    failures.append(error)
            if failures:
                raise failures[0]

        run(all_ways())
        return self.told


def test_what_closes_is_told_once() -> None:
    bench = Bench()
    assert bench.look() == []
    bench.visibility.close("run-1", 5)
    bench.visibility.close("somebody else's", 6)
    assert [bench.look(), bench.look()] == [["ex-1"], []]


def test_it_rests_after_many_rows_that_tell_nothing() -> None:
    bench = Bench()
    bench.look()
    for number in range(MANY):
        bench.visibility.close(f"somebody else's {number}", 1 + number)
    bench.look()
    bench.visibility.close("run-1", 1000)
    bench.visibility.asked.clear()
    bench.seconds += REST - 0.1
    assert (bench.look(), "closed" in bench.visibility.asked) == ([], False)
    bench.seconds += 0.1
    assert bench.look() == ["ex-1"]


def test_while_it_rests_it_tells_of_what_is_late_and_of_what_was_busy() -> None:
    bench = Bench()
    bench.look()
    bench.busy.add("uid-1")
    for number in range(MANY):
        bench.visibility.close(f"somebody else's {number}", 100 + number / MANY)
    bench.visibility.close("run-1", 101)
    bench.look()
    bench.visibility.close("run-2", 100.5)
    bench.busy.clear()
    bench.seconds += COUNT
    assert bench.look() == ["ex-1", "ex-2"]


@pytest.mark.parametrize(("rows", "told"), [(MANY - 1, "somebody else's"), (2 * MANY, "run-0")])
def test_it_does_not_rest_after_few_rows_nor_where_something_was_told(rows: int, told: str) -> None:
    bench = Bench()
    bench.look()
    for number in range(1, rows):
        bench.visibility.close(f"another one's {number}", number)
    bench.visibility.close(told, rows)
    bench.look()
    bench.visibility.close("run-1", 1000)
    assert bench.look() == ["ex-1"]


def test_what_closed_before_the_first_look_is_found_by_name() -> None:
    bench = Bench()
    bench.visibility.close("run-2", 0)
    bench.visibility.close("somebody else's", 5000)
    assert bench.look() == ["ex-2"]


def test_names_are_asked_for_in_pages_and_rarely() -> None:
    bench = Bench(executions=NAMES + 1)
    bench.look()
    assert bench.visibility.asked == ["newest", "closed", "count", "paused", f"among {NAMES}", "among 1"]
    bench.seconds = ROLL_CALL - 1
    bench.look()
    assert bench.visibility.asked[6:] == ["closed", "count", "paused"]
    bench.seconds = ROLL_CALL
    bench.visibility.asked.clear()
    bench.look()
    assert bench.visibility.asked == ["closed", "count", f"among {NAMES}", "among 1"]


def test_rows_out_of_order_are_told() -> None:
    bench = Bench()
    bench.look()
    bench.visibility.close("run-0", 100)
    bench.look()
    bench.visibility.close("run-1", 100 - OVERLAP.total_seconds())
    bench.seconds = COUNT
    assert [bench.look(), bench.look()] == [["ex-1"], []]


def test_after_an_outage_it_goes_on_where_it_was() -> None:
    bench = Bench()
    bench.visibility.close("somebody else's", 0)
    bench.look()
    bench.visibility.fault = True
    bench.seconds = 3000
    with pytest.raises(TemporalError):
        bench.look()
    bench.visibility.fault = False
    bench.visibility.close("run-0", 10)
    bench.visibility.close("run-1", 2900)
    assert bench.look() == ["ex-0", "ex-1"]


def test_an_execution_that_comes_after_its_row_is_told() -> None:
    bench = Bench()
    bench.look()
    bench.visibility.close("run-9", 5)
    bench.look()
    bench.runs.put(Reference("uid-9", "team-a", "ex-9", "acme", "run-9"))
    assert bench.look() == ["ex-9"]


def test_another_organization_of_the_same_temporal_namespace_is_called_too() -> None:
    bench = Bench()
    bench.visibility.close("somebody else's", 0)
    bench.look()
    bench.visibility.close("run-8", -5000)
    bench.runs.put(Reference("uid-8", "team-b", "ex-8", "globex", "run-8"))
    assert bench.look(frozenset({"acme", "globex"})) == ["ex-8"]


def test_what_is_paused_is_told_once() -> None:
    bench = Bench()
    bench.visibility.pauses.append("run-1")
    assert [bench.look(), bench.look()] == [["ex-1"], []]


def test_what_is_being_worked_on_is_told_once_it_is_not_unless_it_is_done_then() -> None:
    bench = Bench()
    bench.look()
    bench.busy |= {"uid-0", "uid-1"}
    bench.visibility.close("run-0", 5)
    bench.visibility.close("run-1", 5)
    bench.visibility.close("run-2", 5)
    assert [bench.look(), bench.look()] == [["ex-2"], []]
    bench.runs.drop("uid-0")
    bench.busy.clear()
    assert [bench.look(), bench.look()] == [["ex-1"], []]


def test_a_hint_that_waits_outlives_a_change_of_the_phase() -> None:
    bench = Bench(executions=1)
    bench.look()
    bench.busy.add("uid-0")
    bench.visibility.close("run-0", 5)
    assert bench.look() == []
    bench.runs.put(Reference("uid-0", "team-a", "ex-0", "acme", "run-0", "running"))
    for number in range(10):
        bench.visibility.close(f"somebody else's {number}", 100 * number + 100)
        assert bench.look() == []
    bench.busy.clear()
    assert [bench.look(), bench.look()] == [["ex-0"], []]


def test_where_nothing_is_open_nothing_is_asked() -> None:
    bench = Bench(executions=0)
    bench.look()
    assert bench.visibility.asked == []


def test_what_can_not_be_counted_holds_up_nothing_else() -> None:
    bench = Bench()
    bench.look()
    bench.visibility.faulty = "count"
    bench.visibility.close("run-0", 5)
    bench.visibility.pauses.append("run-1")
    bench.seconds = LONG_COUNT
    with pytest.raises(TemporalError):
        bench.look()
    assert bench.told == ["ex-0", "ex-1"]


def test_an_execution_that_comes_long_after_its_row_is_told_within_a_minute() -> None:
    bench = Bench()
    bench.visibility.close("run-9", 0)
    bench.look()
    bench.visibility.close("somebody else's", OVERLAP.total_seconds() + 1)
    bench.look()
    bench.runs.put(Reference("uid-9", "team-a", "ex-9", "acme", "run-9"))
    assert bench.look() == []
    bench.seconds = LONG_COUNT
    assert [bench.look(), bench.look()] == [["ex-9"], []]


def test_where_too_much_has_closed_to_be_read_the_roll_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.REMEMBERED", 10)
    bench = Bench()
    bench.look()
    bench.visibility.close("run-1", 1)
    for number in range(20):
        bench.visibility.close(f"somebody else's {number}", 100 + number)
    assert bench.look() == ["ex-1"]


def test_what_closed_while_nothing_was_open_is_not_read_afterwards() -> None:
    bench = Bench(executions=1)
    bench.look()
    bench.runs.drop("uid-0")
    bench.look()
    for number in range(1000):
        bench.visibility.close(f"somebody else's {number}", number)
    bench.visibility.close("run-1", 0)
    bench.visibility.asked.clear()
    bench.runs.put(Reference("uid-1", "team-a", "ex-1", "acme", "run-1"))
    assert bench.look() == ["ex-1"]
    bench.seconds = LONG_COUNT
    bench.look()
    assert bench.visibility.read < 30  # those of the overlap; 1,000 have closed


def test_looks_that_fail_for_days_go_on() -> None:
    async def main() -> list[str]:
        runs, visibility, told = OpenRuns(), FakeVisibility(fault=True), list[str]()
        runs.put(Reference("uid-0", "team-a", "ex-0", "acme", "run-0"))
        mapping = Mapping()
        mapping.put(acme := organization("acme", "team-a"))
        mapping.probed("acme", probe(acme))

        def tell(references: Sequence[Reference]) -> None:
            told.extend(reference.name for reference in references)

        feeds = asyncio.create_task(VisibilityPoller(mapping, lambda *_: visibility, runs, tell).run())
        await asyncio.sleep(1100 * POLL_BACKOFF.delays[-1])
        visibility.fault = False
        visibility.close("run-0")
        await asyncio.sleep(2 * POLL_BACKOFF.delays[-1])
        feeds.cancel()
        return told

    assert set(run(main())) == {"ex-0"}


def test_the_roll_is_called_again_where_a_look_was_cut_while_it_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution_operator.visibility.cursor.REMEMBERED", 10)
    bench, called = Bench(), FakeVisibility.among

    async def cut(self: FakeVisibility, run_ids: Sequence[str]) -> set[str]:
        found = await called(self, run_ids)
        for number in range(20):
            self.close(f"somebody else's {number}", 100 + number)
        await bench.feed.look({"acme"}, self)
        return found

    monkeypatch.setattr(FakeVisibility, "among", cut)
    bench.look()
    monkeypatch.undo()
    bench.visibility.close("run-1", 1)
    assert bench.look() == ["ex-1"]


def test_a_roll_call_that_broke_off_is_made_again() -> None:
    bench = Bench()
    bench.visibility.close("run-1", -5000)
    bench.visibility.close("somebody else's", 0)
    bench.visibility.faulty = "among 3"
    with pytest.raises(TemporalError):
        bench.look()
    bench.visibility.faulty = ""
    assert bench.look() == ["ex-1"]


def test_a_roll_call_that_broke_off_goes_on_where_it_was() -> None:
    bench = Bench(executions=3 * NAMES)
    bench.visibility.close("somebody else's", 0)
    run(bench.feed.look({"acme"}, bench.visibility))
    among, asked = bench.visibility.among, list[str]()

    async def third_fails(run_ids: Sequence[str]) -> set[str]:
        asked.append(run_ids[0])
        if len(asked) == 3:
            raise TemporalError("visibility is away")
        return await among(run_ids)

    bench.visibility.among = third_fails  # type: ignore[method-assign] # as it may be
    with pytest.raises(TemporalError):
        run(bench.feed.call_the_roll({"acme"}, bench.visibility))
    bench.visibility.close("run-250", -5000)
    run(bench.feed.call_the_roll({"acme"}, bench.visibility))
    assert (asked, bench.told) == (["run-0", "run-100", "run-200", "run-200"], ["ex-250"])


def test_what_is_being_worked_on_is_called_once_it_is_not_unless_it_is_done_then() -> None:
    bench = Bench(executions=NAMES + 2)
    bench.busy |= {"uid-0", "uid-1"}
    bench.visibility.close("somebody else's", 0)
    bench.visibility.close("run-0", -5000)
    bench.visibility.close("run-1", -5000)
    assert [bench.look(), bench.look()] == [[], []]
    assert [question for question in bench.visibility.asked if "among" in question] == [f"among {NAMES}"]
    bench.runs.drop("uid-0")
    bench.busy.clear()
    assert bench.look() == ["ex-1"]
    assert bench.visibility.asked[-1] == "among 1"


def test_the_roll_is_not_called_before_the_first_look() -> None:
    bench = Bench()
    run(bench.feed.call_the_roll({"acme"}, bench.visibility))
    assert bench.visibility.asked == []


def test_no_look_waits_for_what_is_done_beside() -> None:
    async def main() -> None:
        runs, visibility, told = OpenRuns(), FakeVisibility(), list[str]()
        runs.put(Reference("uid-0", "team-a", "ex-0", "acme", "run-0"))

        def tell(references: Sequence[Reference]) -> None:
            told.extend(reference.name for reference in references)

        async def never(*_: object) -> int:
            await asyncio.Event().wait()
            return 0

        visibility.count = never  # type: ignore[method-assign, assignment] # hangs
        feeds = VisibilityPoller(mapping(organization("acme")), lambda *_: visibility, runs, tell)
        task = asyncio.create_task(feeds.run())
        await asyncio.sleep(100)
        visibility.close("run-0", 5)
        await asyncio.sleep(2)
        assert (told, feeds.age() > 100) == (["ex-0"], True)
        task.cancel()

    run(main())


def noticed() -> float:
    return REGISTRY.get_sample_value("execution_operator_close_detection_delay_seconds_count") or 0


def test_how_late_a_closing_is_noticed_is_measured_once() -> None:
    bench, before = Bench(), noticed()
    bench.look()
    bench.visibility.close("run-1", 5)
    assert [bench.look(), bench.look()] == [["ex-1"], []]
    assert noticed() == before + 1


def test_a_feed_is_as_old_as_its_last_look_that_succeeded() -> None:
    visibility, runs, ages = FakeVisibility(), OpenRuns(), []
    runs.put(Reference("uid-1", "team-a", "ex-1", "acme", "run-1"))

    def tell(_: Sequence[Reference]) -> None: ...

    async def main() -> None:
        feeds = VisibilityPoller(mapping(organization("acme")), lambda _, __: visibility, runs, tell)
        task = asyncio.create_task(feeds.run())
        for fault in (False, True, False):
            visibility.fault = fault
            await asyncio.sleep(100)
            ages.append(feeds.age())
        task.cancel()

    run(main())
    fresh, stale, again = ages
    assert (fresh < 2, 100 <= stale < 103, again < 2) == (True, True, True)
