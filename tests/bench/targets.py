"""The targets of the figures, and whether they were met."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.scenarios import BATCH
from tests.bench.stats import Results, Summary, mean, number, p50, p99

OURS = "ours"
MIB = 1024.0

AT_REST = 200
"""Requests a minute, none of them for an idle Execution: a feed looks each second, sweeps list, watches begin anew."""


BESIDE = ("List", "Count", "Poll", "Record")
"""Temporal calls that no termination makes: the feed's, whatever the number of terminations, and Temporal's own."""


@dataclass(frozen=True)
class Target:
    """A promise: a value that is read off the results, and the limit that it must keep."""

    title: str
    read: Callable[[Results], float | None]
    limit: float
    at_least: bool = False

    def verdict(self, results: Results) -> str:
        """Say what came out, in a line."""
        value = self.read(results)
        if value is None:
            return f"- not measured: {self.title}"
        kept = value >= self.limit if self.at_least else value <= self.limit
        return f"- {'kept' if kept else '**missed**'}: {self.title}: {number(value)}"


def ratio(figure: str, to: str, summary: Summary = mean) -> Callable[[Results], float | None]:
    """Read our value as a multiple of another peer's."""

    def read(results: Results) -> float | None:
        ours, theirs = results.value(figure, OURS, summary), results.value(figure, to, summary)
        return ours / theirs if ours is not None and theirs else None

    return read


def calls(counts: Callable[[str], bool]) -> Callable[[Results], float | None]:
    """Read our calls for each termination, of the kinds that count."""

    def read(results: Results) -> float | None:
        kinds = results.figures("calls/")
        values = [results.value(kind, OURS) or 0 for kind in kinds if counts(kind.removeprefix("calls/"))]
        return sum(values) if kinds else None

    return read


def _of_temporal(kind: str) -> bool:
    """Return whether a kind of call is an RPC of a termination. Names of RPCs begin with a capital letter."""
    return kind[0].isupper() and not kind.startswith(BESIDE)


def value(figure: str) -> Callable[[Results], float | None]:
    """Read our own value."""
    return lambda results: results.value(figure, OURS)


def worst(figure: str) -> Callable[[Results], float | None]:
    """Read our worst sample."""
    return lambda results: results.value(figure, OURS, max)


def each_open(size: int) -> Callable[[Results], float | None]:
    """Read the KiB that an open Execution takes, over what the process takes among the smallest crowd."""

    def read(results: Results) -> float | None:
        sizes = sorted({int(figure.split("/")[2]) for figure in results.figures("growth/0% finished/")})
        if not sizes:
            return None
        small, large = (results.value(f"growth/0% finished/{of}/memory", OURS) for of in (sizes[0], size))
        return (large - small) * MIB / (size - sizes[0]) if small and large and size > sizes[0] else None

    return read


def targets(bulk: int, factory: int) -> list[Target]:
    """Return the promises, for the largest sizes that were measured."""
    many, full, most = f"bulk/{bulk}/rate", f"growth/0% finished/{factory}", f"growth/95% finished/{factory}"
    return [
        Target("latency p50, at most 1.3 times floor", ratio("alone", "floor", p50), 1.3),
        Target("latency p99, at most 2 times floor", ratio("alone", "floor", p99), 2),
        Target("latency p50 ahead of naive", ratio("alone", "naive", p50), 1),
        Target("latency p50 not behind Go", ratio("alone", "Go", p50), 1),
        Target(f"{bulk:,} at once: at least 0.9 times floor's rate", ratio(many, "floor"), 0.9, at_least=True),
        Target(f"{bulk:,} at once: at least 1.5 times naive's rate", ratio(many, "naive"), 1.5, at_least=True),
        Target(f"{bulk:,} at once: at least 0.9 times Go's rate", ratio(many, "Go"), 0.9, at_least=True),
        Target("faster than Temporal's own batch", _batch, 1, at_least=True),
        Target(
            "status PATCHes for each termination, at most 1",
            calls(lambda kind: kind.startswith("patch executions/status")),
            1,
        ),
        Target("Events for each termination, at most 1", calls(lambda kind: kind.startswith("create events")), 1),
        Target("Temporal calls for each termination, at most 3", calls(_of_temporal), 3),
        Target(f"first patch handled among {factory:,} open within 5 s", value(f"{full}/first"), 5),
        Target(f"first patch handled among {factory:,}, 95 % finished, within 5 s", value(f"{most}/first"), 5),
        Target(f"MiB among {factory:,}, 95 % finished, at most 250", value(f"{most}/memory"), 250),
        Target(f"KiB for each of {factory:,} open, at most 2", each_open(factory), 2),
        Target(f"requests a minute at rest among {factory:,}, at most {AT_REST}", value(f"{most}/requests"), AT_REST),
        Target("closings elsewhere show within 5 s of Temporal's visibility, the last", worst("feed/lag"), 5),
        Target("closings missed, also while the operator is down: 0", value("feed/missed"), 0),
        Target("failover within the lease's duration and 2 s", value("failover/beyond"), 2),
        Target(f"writes at a restart among {factory:,} open: 0", value(f"{full}/writes"), 0),
        Target(f"writes at a restart among {factory:,}, 95 % finished: 0", value(f"{most}/writes"), 0),
    ]


def _batch(results: Results) -> float | None:
    """Read our rate as a multiple of the batch's, at the size that it was given."""
    for figure in results.figures("bulk/"):
        theirs, ours = results.value(figure, BATCH), results.value(figure, OURS)
        if figure.endswith("/rate") and theirs and ours:
            return ours / theirs
    return None
