"""The dashboard's panels as one SVG, in the places that the dashboard gives them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any

from tests.dashboard.prometheus import Line

Json = dict[str, Any]
Ask = Callable[[str], list[Line]]

COLUMN, ROW, GAP = 60, 30, 8
LEFT, RIGHT, TOP, LEGEND = 52, 10, 30, 15
COLOURS = ("#2a6f97", "#d1495b", "#2b9348", "#bc6c25", "#8338ec", "#767676", "#e09f3e", "#0f8b8d", "#c9184a", "#588157")
MOST = 8
"""Lines that a legend names."""


@dataclass(frozen=True)
class Curve:
    """A line with its name."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Span:
    """The time that is shown, in Unix seconds."""

    start: float
    end: float


def svg(dashboard: Json, ask: Ask, span: Span) -> str:
    """Draw all panels."""
    panels = dashboard["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * ROW
    box = f'viewBox="0 0 {24 * COLUMN} {height}" font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        '<rect width="100%" height="100%" fill="#f4f5f5"/>',
        *(_placed(panel, ask, span) for panel in panels),
    ]
    return "\n".join([*parts, "</svg>\n"])


def _placed(panel: Json, ask: Ask, span: Span) -> str:
    place = panel["gridPos"]
    x, y, width, height = place["x"] * COLUMN, place["y"] * ROW, place["w"] * COLUMN - GAP, place["h"] * ROW - GAP
    if panel["type"] == "row":
        return _text(x + 4, y + 20, panel["title"], size=15, weight="bold")
    curves = [
        Curve(_named(target["legendFormat"], line.labels), [point for point in line.points if math.isfinite(point[1])])
        for target in panel["targets"]
        for line in ask(target["expr"])
    ]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    drawn = _stat(curves, unit, width, height) if panel["type"] == "stat" else _graph(curves, unit, width, height, span)
    frame = f'<rect width="{width}" height="{height}" fill="white" stroke="#d8d9da"/>'
    title = _text(10, 18, panel["title"], weight="bold")
    return f'<g transform="translate({x} {y})">{frame}{title}{drawn}</g>'


def _named(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), legend)


def _stat(curves: Sequence[Curve], unit: str, width: int, height: int) -> str:
    last = [curve.points[-1][1] for curve in curves if curve.points]
    return _text(width / 2, height / 2 + 22, shown(last[0], unit) if last else "none", "middle", size=30)


def _graph(curves: Sequence[Curve], unit: str, width: int, height: int, span: Span) -> str:
    named = sorted((curve for curve in curves if curve.points), key=_last, reverse=True)
    rows = math.ceil(min(len(named), MOST) / 2)
    bottom = height - 20 - rows * LEGEND
    ceiling = _ceiling(max((value for curve in named for _, value in curve.points), default=1.0))

    def place(at: float, value: float) -> str:
        across = LEFT + (at - span.start) / (span.end - span.start) * (width - LEFT - RIGHT)
        return f"{across:.1f},{bottom - value / ceiling * (bottom - TOP):.1f}"

    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * (bottom - TOP)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{width - RIGHT}" stroke="#eceded"/>')
        parts.append(_text(LEFT - 5, y + 4, shown(share * ceiling, unit), "end", size=9))
    for share in (0, 0.5, 1):
        at = datetime.fromtimestamp(span.start + share * (span.end - span.start), UTC)
        x, anchor = LEFT + share * (width - LEFT - RIGHT), ("start", "middle", "end")[int(share * 2)]
        parts.append(_text(x, bottom + 13, f"{at:%H:%M:%S}", anchor, size=9))
    for number, curve in enumerate(named):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(place(*point) for point in curve.points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        if number < MOST:
            x, y = LEFT + (number % 2) * (width - LEFT) / 2, bottom + 28 + number // 2 * LEGEND
            parts.append(
                f'<path d="M{x} {y - 4}h12" stroke="{colour}" stroke-width="3"/>{_text(x + 17, y, curve.name)}'
            )
    return "".join(parts)


def _last(curve: Curve) -> float:
    return curve.points[-1][1]


def _ceiling(most: float) -> float:
    """Return a round number above all values."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= most)


def shown(value: float, unit: str) -> str:
    """Return a value as people read it."""
    match unit:
        case "s" if 0 < value < 1:
            return f"{value * 1000:.3g} ms"
        case "s":
            return f"{value:.3g} s"
        case "bytes":
            return f"{value / 2**20:.0f} MiB"
        case "ops":
            return f"{value:.3g}/s"
        case _:
            return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _text(  # noqa: PLR0913 - SVG's own
    x: float, y: float, words: str, anchor: str = "start", *, size: int = 11, weight: str = "normal"
) -> str:
    look = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="#24292e"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(words)}</text>'
