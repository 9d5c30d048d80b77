"""Samples, what is said of them, and tables."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

Summary = Callable[[Sequence[float]], float]


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the smallest sample that at least this share of all does not exceed (nearest rank)."""
    return sorted(samples)[max(0, math.ceil(share * len(samples)) - 1)]


def p50(samples: Sequence[float]) -> float:
    """Return the median sample."""
    return percentile(samples, 0.5)


def p99(samples: Sequence[float]) -> float:
    """Return the sample that one in a hundred exceeds; of fewer than a hundred that is the worst."""
    return percentile(samples, 0.99)


def mean(samples: Sequence[float]) -> float:
    """Return the mean."""
    return statistics.fmean(samples)


@dataclass
class Results:
    """Samples by figure and peer."""

    samples: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, figure: str, peer: str, *values: float) -> None:
        """Take samples in."""
        self.samples[figure, peer].extend(values)

    def value(self, figure: str, peer: str, summary: Summary = mean) -> float | None:
        """Return what the samples come to; None where there are none."""
        found = self.samples.get((figure, peer))
        return summary(found) if found else None

    def figures(self, prefix: str) -> list[str]:
        """Return the figures whose names begin so, in the order in which they were measured."""
        return list(dict.fromkeys(figure for figure, _ in self.samples if figure.startswith(prefix)))


@dataclass(frozen=True)
class Row:
    """A row of a table: one figure of all peers.

    Attributes:
        figure: What was measured.
        title: What the table calls it.
        summary: What is made of the samples.
        scale: What the value is multiplied by, to come to the title's unit.
        ratio: Whether it is held against the first peer.
    """

    figure: str
    title: str
    summary: Summary = mean
    scale: float = 1
    ratio: bool = True


def table(results: Results, rows: Iterable[Row], peers: Sequence[str]) -> str:
    """Return a Markdown table: a column for each peer, the first of which is the base of the ratios."""
    lines = [_cells(row, results, peers) for row in rows]
    return grid([["", *peers], *lines])


def grid(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand under each other: titles to the left, figures to the right."""
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    aligned = [
        [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        for line in (lines[0], rule, *lines[1:])
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in aligned)


def number(value: float | None) -> str:
    """Return the value with three digits that count, or a dash where there is none."""
    if value is None:
        return "-"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f}" if abs(value) >= 0.01 else f"{value:.2g}"


def _cells(row: Row, results: Results, peers: Sequence[str]) -> list[str]:
    base = results.value(row.figure, peers[0], row.summary)
    cells = [row.title]
    for peer in peers:
        value = results.value(row.figure, peer, row.summary)
        text = number(None if value is None else value * row.scale)
        cells.append(f"{text} ({value / base:.2f})" if row.ratio and value is not None and base else text)
    return cells
