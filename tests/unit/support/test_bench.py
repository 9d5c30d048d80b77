"""What the benchmark makes of its samples."""

import pytest

from tests.bench.__main__ import turns_by_servers
from tests.bench.peers import FLOOR, GO, OURS
from tests.bench.plot import Panel, svg
from tests.bench.scenarios import Scenario
from tests.bench.stats import Results, Row, number, p50, p99, table
from tests.bench.targets import Target, ratio, targets


@pytest.mark.parametrize(
    ("samples", "median", "worst"),
    [([7.0], 7, 7), ([3.0, 1.0, 2.0], 2, 3), ([float(n) for n in range(1, 101)], 50, 99), ([1.0, 9.0], 1, 9)],
)
def test_percentiles_are_samples(samples: list[float], median: float, worst: float) -> None:
    assert (p50(samples), p99(samples)) == (median, worst)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0, "0"), (1234.5, "1,234"), (99.9, "99.9"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.0123")],
)
def test_numbers_show_three_digits_that_count(value: float | None, text: str) -> None:
    assert number(value) == text


def test_a_table_holds_every_peer_against_the_first() -> None:
    results = Results()
    results.add("alone", "floor", 0.010, 0.020)
    results.add("alone", "ours", 0.030)
    lines = table(results, [Row("alone", "mean, ms", scale=1000)], ["floor", "Go", "ours"]).splitlines()
    assert lines == [
        "|          |       floor | Go |        ours |",
        "| -------- | ----------: | -: | ----------: |",
        "| mean, ms | 15.0 (1.00) |  - | 30.0 (2.00) |",
    ]


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [(1.2, "- kept: soon: 1.20"), (1.4, "- **missed**: soon: 1.40"), (None, "- not measured: soon")],
)
def test_a_target_says_what_came_out(ours: float | None, verdict: str) -> None:
    results = Results()
    results.add("alone", "floor", 1.0)
    if ours:
        results.add("alone", "ours", ours)
    assert Target("soon", ratio("alone", "floor"), 1.3).verdict(results) == verdict


def test_what_was_not_measured_is_said_of_every_target() -> None:
    results = Results()
    results.add("failover/beyond", "ours", 1.0)
    verdicts = [target.verdict(results) for target in targets(0, 0)]
    assert [verdict for verdict in verdicts if "not measured" not in verdict] == [
        "- kept: failover within the lease's duration and 2 s: 1.00"
    ]


async def nothing(*_: object) -> None: ...


def test_scenarios_share_servers_unless_each_turn_is_to_have_its_own() -> None:
    scenarios = [
        Scenario("shared", nothing, rounds=2, peers=(FLOOR, GO, OURS)),
        Scenario("fresh", nothing, rounds=2, peers=(FLOOR, OURS), fresh=True),
        Scenario("shared too", nothing, peers=(OURS,)),
    ]

    def turns(names: list[str] | None = None) -> list[list[str]]:
        return [
            [f"{take.scenario.title}, {take.peer.name}" for take in group]
            for group in turns_by_servers(scenarios, names)
        ]

    fresh = [["fresh, floor"], ["fresh, ours"], ["fresh, ours"], ["fresh, floor"]]
    rotated = [f"shared, {name}" for name in ("floor", "Go", "ours", "Go", "ours", "floor")]
    assert turns() == [*fresh, [*rotated, "shared too, ours"]]
    assert turns(["Go"]) == [["shared, Go", "shared, Go"]]
    assert turns(["nobody"]) == []


def test_a_plot_has_a_line_for_each_peer() -> None:
    drawn = svg([Panel("a < b", {"floor": [(10, 1), (100, 2)], "ours": [(10, 30), (100, 4)]})])
    assert drawn.count("<polyline") == 2
    assert "a &lt; b" in drawn
