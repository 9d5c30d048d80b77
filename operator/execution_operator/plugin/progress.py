"""Progress output: a live table on a terminal, else one line for each change."""

import sys
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from execution_operator.plugin.request_state import State
from execution_operator.plugin.targets import Target
from execution_operator.plugin.values import plural

if TYPE_CHECKING:
    from rich.console import Group

ROWS = 10
"""Lines of the live table: those that changed last."""

LISTED, NAMED = 20, 8
"""Failures that the summary lists, and names of one kind after Ctrl-C."""

PERHAPS = "on their way, perhaps requested"

ORDER = {state: number for number, state in enumerate(State)}
COLOURS = {State.DONE: "green", State.FAILED: "red", State.TIMED_OUT: "yellow", State.REQUESTED: "cyan"}


class Screen(Protocol):
    """The output of the progress."""

    def changed(self, target: Target) -> None:
        """Show the new state of a target."""

    def summary(self, targets: list[Target], warnings: Counter[str], *, interrupted: bool) -> None:
        """Show the summary."""


@contextmanager
def screen(targets: list[Target], *, quiet: bool, waits: bool) -> Iterator[Screen]:
    """Return the output that fits: a table on a terminal, else lines. `waits` means that outcomes are awaited."""
    if quiet or not sys.stderr.isatty():
        yield Lines(quiet=quiet)
        return
    from rich.console import Console  # noqa: PLC0415 - pipes do without
    from rich.live import Live  # noqa: PLC0415

    table = Table(targets, waits=waits)
    with Live(get_renderable=table.render, console=Console(stderr=True), refresh_per_second=8):
        yield table


class Lines:
    """One line for each change."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def changed(self, target: Target) -> None:
        """Print the change. Failures go to stderr."""
        failed = target.verdict.state in (State.FAILED, State.TIMED_OUT)
        if failed:
            print(_line(target), file=sys.stderr)  # noqa: T201
        elif not self._quiet:
            print(_line(target), flush=True)  # noqa: T201

    def summary(self, targets: list[Target], warnings: Counter[str], *, interrupted: bool) -> None:
        """Print the counts, if there are several targets."""
        _warn(warnings)
        if len(targets) > 1 or interrupted:
            print(counts(targets), file=sys.stderr)  # noqa: T201
        if interrupted:
            _tell_interruption(targets)


class Table:
    """A bar, the counts, and what changed last."""

    def __init__(self, targets: list[Target], *, waits: bool) -> None:
        self._targets = targets
        self._ahead = (State.WAITING, State.SENDING, State.REQUESTED) if waits else (State.WAITING, State.SENDING)
        self._recent: deque[Target] = deque(maxlen=ROWS)

    def changed(self, target: Target) -> None:
        """Keep the change for the next rendering."""
        if target in self._recent:
            self._recent.remove(target)
        self._recent.append(target)

    def render(self) -> "Group":
        """Return the present rendering."""
        from rich.console import Group  # noqa: PLC0415
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table as Rows  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        rows = Rows(box=None, pad_edge=False, header_style="bold")
        for column in ("NAMESPACE", "NAME", "STATE", ""):
            rows.add_column(column, no_wrap=True, overflow="ellipsis")
        for target in self._recent:
            verdict = target.verdict
            state = Text(verdict.label, style=COLOURS.get(verdict.state, "dim"))
            rows.add_row(Text(target.namespace), Text(target.name), state, Text(verdict.detail))
        behind = sum(target.verdict.state not in self._ahead for target in self._targets)
        bar = ProgressBar(total=len(self._targets), completed=behind, width=40)
        return Group(rows, Text(counts(self._targets)), bar)

    def summary(self, targets: list[Target], warnings: Counter[str], *, interrupted: bool) -> None:
        """List the failures below the table."""
        _warn(warnings)
        failed = [target for target in targets if target.verdict.state in (State.FAILED, State.TIMED_OUT)]
        for target in failed[:LISTED]:
            print(_line(target), file=sys.stderr)  # noqa: T201
        if len(failed) > LISTED:
            print(f"… and {plural(len(failed) - LISTED)} more", file=sys.stderr)  # noqa: T201
        if interrupted:
            _tell_interruption(targets)


def counts(targets: list[Target]) -> str:
    """Return the number of targets by state, in the order of the states."""
    found = Counter((ORDER[target.verdict.state], target.verdict.label) for target in targets)
    ordered = sorted(found.items(), key=lambda entry: (entry[0][0], -entry[1]))
    return f"{plural(len(targets))}: " + ", ".join(f"{count:,} {label}" for (_, label), count in ordered)


def _line(target: Target) -> str:
    verdict = target.verdict
    if not verdict.detail:
        return f"{target.full} {verdict.label}"
    return f"{target.full} {verdict.label}{' ' if verdict.state is State.DONE else ': '}{verdict.detail}"


def _warn(warnings: Counter[str]) -> None:
    for warning, count in warnings.items():
        print(f"Warning: {warning}" + (f" ({count:,} times)" if count > 1 else ""), file=sys.stderr)  # noqa: T201


def _tell_interruption(targets: list[Target]) -> None:
    """Print which Executions were requested, and continue, and which were not."""
    groups: dict[str, list[str]] = {words: [] for words in ("requested", PERHAPS, "refused", "not requested")}
    for target in targets:
        groups[_asked(target)].append(target.short)
    print("interrupted; what was requested goes on:", file=sys.stderr)  # noqa: T201
    for words, names in groups.items():
        if names:
            shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
            print(f"  {len(names):,} {words}: {shown}", file=sys.stderr)  # noqa: T201
    if groups["not requested"]:
        print("The same command again requests the rest.", file=sys.stderr)  # noqa: T201


def _asked(target: Target) -> str:
    """Return whether the API server stored the request, for people."""
    match target.verdict.state:
        case State.WAITING:
            return "not requested"
        case State.SENDING:
            return PERHAPS
        case _:
            return "requested" if target.generation else "refused"
