"""Lines on logarithmic axes, as SVG: all that the growth of a cost needs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 330, 240, 56, 34, 12, 34
COLOURS = ("#767676", "#d1495b", "#2a6f97", "#2b9348", "#8338ec", "#bc6c25")
Line = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """One diagram: lines by name. All panels of a plot have the same names, and so the same colours."""

    title: str
    lines: Mapping[str, Line]


@dataclass(frozen=True)
class _Axis:
    low: int
    high: int
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float) -> "_Axis":
        """Return an axis of whole decades."""
        low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
        return cls(low, max(high, low + 1), start, end)

    def at(self, value: float) -> float:
        """Return where a value is."""
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def decades(self) -> list[float]:
        """Return the values of the grid."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def svg(panels: Sequence[Panel], columns: int = 3) -> str:
    """Return the panels beside each other, with one legend below."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    rows = math.ceil(len(panels) / columns)
    width, height = WIDTH * min(columns, len(panels)), HEIGHT * rows + 30
    box = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {box}>',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        place = f"translate({WIDTH * (number % columns)} {HEIGHT * (number // columns)})"
        parts.append(f'<g transform="{place}">{_panel(panel, names)}</g>')
    for number, name in enumerate(names):
        x, y, colour = LEFT + number * 120, height - 12, COLOURS[number % len(COLOURS)]
        parts.append(f'<path d="M{x} {y - 4}h22" stroke="{colour}" stroke-width="2"/>{_text(x + 28, y, name)}')
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, names: Sequence[str]) -> str:
    points = [point for line in panel.lines.values() for point in line]
    across = _Axis.over([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = _Axis.over([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = [_text(LEFT, 18, panel.title, "start", "bold")]
    for x in across.decades():
        parts.append(f'<path d="M{across.at(x)} {TOP}V{HEIGHT - BOTTOM}" stroke="#e5e5e5"/>')
        parts.append(_text(across.at(x), HEIGHT - BOTTOM + 16, f"{x:,.0f}", "middle"))
    for y in up.decades():
        parts.append(f'<path d="M{LEFT} {up.at(y)}H{WIDTH - RIGHT}" stroke="#e5e5e5"/>')
        parts.append(_text(LEFT - 6, up.at(y) + 4, f"{y:,g}", "end"))
    for name, line in panel.lines.items():
        colour = COLOURS[names.index(name) % len(COLOURS)]
        path = " ".join(f"{across.at(x)},{up.at(y)}" for x, y in line)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{across.at(x)}" cy="{up.at(y)}" r="3" fill="{colour}"/>' for x, y in line]
    return "".join(parts)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}">{escape(text)}</text>'
