"""The results as a page: tables, a plot, and what was kept of the promises."""

import os
import platform
from pathlib import Path

from tests.bench.peers import FLOOR, GO, LEAN, NAIVE, OURS
from tests.bench.plot import Panel, svg
from tests.bench.scenarios import BATCH
from tests.bench.stats import Results, Row, p50, p99, table
from tests.bench.targets import targets

PEERS = (FLOOR, LEAN, NAIVE, GO, OURS)
NAMES = [peer.name for peer in PEERS]
GROWN = [peer.name for peer in (FLOOR, NAIVE, GO, OURS)]
MS = 1000

HEAD = """# Benchmarks

`make bench` writes this page: {cores} cores, {machine}, Python {python}, {minutes:.0f} minutes.

A real API server with RBAC, etcd and Temporal's development server run on the same cores as the peers. The figures
therefore compare the peers within one run, and promise nothing for another machine. The number in parentheses is the
value as a multiple of the floor's value. The peers take turns (A B C D B C D A), each under the operator's account.

Each turn in which many workflows are terminated at once gets new servers. Temporal's development server becomes slower
with every workflow that has run in it, so the last peer would otherwise be at a disadvantage.

{peers}

The code is in `tests/bench/`. The servers count the calls that they answer (the API server's audit log, Temporal's
metrics), and the kernel measures CPU and memory. Large sets of Executions are written into etcd directly, in the form
that the API server stores. They then appear at the same time, and cost the API server only their watch events.
"""

GROWTH = (
    ("first", "first answer after the start, s"),
    ("cpu", "CPU until idle, s"),
    ("memory", "memory when idle, MiB"),
    ("peak", "peak memory, MiB"),
    ("writes", "unnecessary writes to Executions"),
    ("idle", "CPU when idle, %"),
    ("requests", "requests a minute when idle"),
)
DRAWN = GROWTH[:3]
LAGS = (("p50", p50), ("p99", p99), ("the slowest", max))


def write(results: Results, folder: Path, seconds: float) -> str:
    """Write the page and its plot; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    panels = _panels(results)
    parts = [_head(seconds), "## Terminations\n", table(results, _rows(results), [*NAMES, BATCH]), _calls(results)]
    parts.append(_alone(results))
    parts += [_growth(results, mix) for mix in _mixes(results)]
    if panels:
        (folder / "benchmarks.svg").write_text(svg(panels))
        parts.append("![Cost against the number of Executions](benchmarks.svg)\n")
    parts.append(_verdicts(results))
    page = "\n".join(parts)
    (folder / "benchmarks.md").write_text(page)
    return page


def _head(seconds: float) -> str:
    peers = "\n".join(f"- **{peer.name}**: {peer.about}" for peer in PEERS)
    machine, python = f"{platform.system()} {platform.machine()}", platform.python_version()
    return HEAD.format(cores=os.cpu_count(), machine=machine, python=python, minutes=seconds / 60, peers=peers)


def _rows(results: Results) -> list[Row]:
    rows = [
        Row(figure, f"patch → `cancelled`, {how}, {name}, ms", summary, MS)
        for figure, how in (("alone", "one at a time"), ("load", "20 a second"))
        for name, summary in (("p50", p50), ("p99", p99))
    ]
    for size in _bulks(results):
        rows += [
            Row(f"bulk/{size}/rate", f"{size:,} at once: terminations a second"),
            Row(f"bulk/{size}/done", f"{size:,} at once: finished in time", ratio=False),
            Row(f"bulk/{size}/cpu", f"{size:,} at once: CPU of the peer per termination, ms", scale=MS),
            Row(f"bulk/{size}/calls", f"{size:,} at once: calls per termination"),
            Row(f"bulk/{size}/peak", f"{size:,} at once: peak memory, MiB", max),
        ]
    return [*rows, Row("failures", "turns without an answer in time", sum, ratio=False)]


def _calls(results: Results) -> str:
    kinds = sorted(results.figures("calls/"))
    rows = [Row(kind, f"`{kind.removeprefix('calls/')}`", ratio=False) for kind in kinds]
    return f"\n## Calls for each termination, one at a time\n\n{table(results, rows, NAMES)}\n" if rows else ""


def _alone(results: Results) -> str:
    """Describe what only this operator does."""
    lag = "last missing from Temporal's visibility → shown"
    restart = "closed while the operator was down → shown, from its start"
    rows = [
        *(Row("feed/lag", f"{lag}, {name}, s", of, ratio=False) for name, of in LAGS),
        Row("feed/closed", "closed by others → phase shown, the slowest, s", max, ratio=False),
        Row("feed/restart", f"{restart}, the slowest, s", max, ratio=False),
        Row("feed/missed", "closed runs that were missed", sum, ratio=False),
        Row("failover/took", "leader killed → next request answered, s", ratio=False),
        Row("failover/beyond", "the same, minus the lease's duration, s", ratio=False),
    ]
    return f"\n## Live phases and failover\n\n{table(results, rows, [OURS.name])}\n"


def _growth(results: Results, mix: str) -> str:
    sizes = _sizes(results, mix)
    rows = [
        Row(f"{mix}/{size}/{key}", f"{size:,}: {title}", scale=100 if key == "idle" else 1, ratio=False)
        for key, title in GROWTH
        for size in sizes
        if f"{mix}/{size}/{key}" in results.figures(mix)
    ]
    words = mix.removeprefix("growth/").replace("%", " %")
    return f"\n## Started among many Executions, {words}\n\n{table(results, rows, GROWN)}\n"


def _panels(results: Results) -> list[Panel]:
    panels = []
    for mix in _mixes(results):
        for key, title in DRAWN:
            lines = {peer: _line(results, mix, key, peer) for peer in GROWN}
            drawn = {peer: line for peer, line in lines.items() if line}
            panels.append(Panel(f"{title}: {mix.removeprefix('growth/')}", drawn))
    return panels


def _line(results: Results, mix: str, key: str, peer: str) -> list[tuple[float, float]]:
    values = [(float(size), results.value(f"{mix}/{size}/{key}", peer)) for size in _sizes(results, mix)]
    return [(size, value) for size, value in values if value]


def _verdicts(results: Results) -> str:
    bulk = max(_bulks(results), default=0)
    crowd = max((size for mix in _mixes(results) for size in _sizes(results, mix)), default=0)
    lines = "\n".join(target.verdict(results) for target in targets(bulk, crowd))
    return f"## Targets\n\n{lines}\n"


def _bulks(results: Results) -> list[int]:
    return sorted({int(figure.split("/")[1]) for figure in results.figures("bulk/")})


def _mixes(results: Results) -> list[str]:
    return list(dict.fromkeys("/".join(figure.split("/")[:2]) for figure in results.figures("growth/")))


def _sizes(results: Results, mix: str) -> list[int]:
    return sorted({int(figure.split("/")[2]) for figure in results.figures(mix)})
