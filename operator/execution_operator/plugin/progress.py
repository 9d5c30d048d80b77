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

MAX_ROWS = 10
"""The number of lines of the live table. It shows the Executions that changed last."""

MAX_LISTED_FAILURES = 20
"""The number of failures that the summary lists."""

MAX_NAMES_PER_GROUP = 8
"""The number of names that the summary shows for each group after Ctrl-C."""

UNANSWERED = "sent without an answer, possibly requested"
"""The group of requests that Ctrl-C interrupted."""

STATE_ORDER = {state: number for number, state in enumerate(State)}
"""The position of each state in the counts."""

STATE_COLOURS = {State.DONE: "green", State.FAILED: "red", State.TIMED_OUT: "yellow", State.REQUESTED: "cyan"}


class Screen(Protocol):
    """Shows the progress of a command."""

    def changed(self, target: Target) -> None:
        """Show the new state of a target."""

    def summary(self, targets: list[Target], warnings: Counter[str], *, interrupted: bool) -> None:
        """Show the summary."""


@contextmanager
def screen(targets: list[Target], *, quiet: bool, waits: bool) -> Iterator[Screen]:
    """Yield the output of the progress: a live table if stderr is a terminal, else lines.

    Args:
        targets: The Executions to terminate.
        quiet: Whether to print failures and the summary only, because stdout is for objects.
        waits: Whether the command waits for the outcomes.
    """
    if quiet or not sys.stderr.isatty():
        yield Lines(quiet=quiet)
        return
    from rich.console import Console  # noqa: PLC0415 - not needed without a terminal
    from rich.live import Live  # noqa: PLC0415

    table = Table(targets, waits=waits)
    with Live(get_renderable=table.render, console=Console(stderr=True), refresh_per_second=8):
        yield table


class Lines:
    """Prints one line for each change."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def changed(self, target: Target) -> None:
        """Print the change: a failure to stderr, any other change to stdout."""
        failed = target.status.state in (State.FAILED, State.TIMED_OUT)
        if failed:
            print(_line(target), file=sys.stderr)  # noqa: T201
        elif not self._quiet:
            print(_line(target), flush=True)  # noqa: T201

    def summary(self, targets: list[Target], warnings: Counter[str], *, interrupted: bool) -> None:
        """Print the warnings, and the counts of several targets."""
        _warn(warnings)
        if len(targets) > 1 or interrupted:
            print(counts(targets), file=sys.stderr)  # noqa: T201
        if interrupted:
            _print_interruption(targets)


class Table:
    """A live table of the Executions that changed last, with the counts and a progress bar below it."""

    def __init__(self, targets: list[Target], *, waits: bool) -> None:
        self._targets = targets
        self._unfinished_states = (
            (State.WAITING, State.SENDING, State.REQUESTED) if waits else (State.WAITING, State.SENDING)
        )
        self._recent: deque[Target] = deque(maxlen=MAX_ROWS)

    def changed(self, target: Target) -> None:
        """Move the target to the end of the table. The next rendering shows it."""
        if target in self._recent:
            self._recent.remove(target)
        self._recent.append(target)

    def render(self) -> "Group":
        """Return the table as it is now."""
        from rich.console import Group  # noqa: PLC0415
        from rich.progress_bar import ProgressBar  # noqa: PLC0415
        from rich.table import Table as Rows  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        rows = Rows(box=None, pad_edge=False, header_style="bold")
        for column in ("NAMESPACE", "NAME", "STATE", ""):
            rows.add_column(column, no_wrap=True, overflow="ellipsis")
        for target in self._recent:
            status = target.status
            state = Text(status.label, style=STATE_COLOURS.get(status.state, "dim"))
            rows.add_row(Text(target.namespace), Text(target.name), state, Text(status.detail))
        finished = sum(target.status.state not in self._unfinished_states for target in self._targets)
        bar = ProgressBar(total=len(self._targets), completed=finished, width=40)
        return Group(rows, Text(counts(self._targets)), bar)

    def summary(self, targets: list[Target], warnings: Counter[str], *, interrupted: bool) -> None:
        """Print the warnings and the failures below the table."""
        _warn(warnings)
        failed = [target for target in targets if target.status.state in (State.FAILED, State.TIMED_OUT)]
        for target in failed[:MAX_LISTED_FAILURES]:
            print(_line(target), file=sys.stderr)  # noqa: T201
        if len(failed) > MAX_LISTED_FAILURES:
            print(f"… and {plural(len(failed) - MAX_LISTED_FAILURES)} more", file=sys.stderr)  # noqa: T201
        if interrupted:
            _print_interruption(targets)


def counts(targets: list[Target]) -> str:
    """Return the number of targets by state, in the order of the states."""
    found = Counter((STATE_ORDER[target.status.state], target.status.label) for target in targets)
    ordered = sorted(found.items(), key=lambda entry: (entry[0][0], -entry[1]))
    return f"{plural(len(targets))}: " + ", ".join(f"{count:,} {label}" for (_, label), count in ordered)


def _line(target: Target) -> str:
    status = target.status
    if not status.detail:
        return f"{target.kubectl_name} {status.label}"
    return f"{target.kubectl_name} {status.label}{' ' if status.state is State.DONE else ': '}{status.detail}"


def _warn(warnings: Counter[str]) -> None:
    for warning, count in warnings.items():
        print(f"Warning: {warning}" + (f" ({count:,} times)" if count > 1 else ""), file=sys.stderr)  # noqa: T201


def _print_interruption(targets: list[Target]) -> None:
    """Print for which Executions the termination was requested, and for which it was not."""
    groups: dict[str, list[str]] = {group: [] for group in ("requested", UNANSWERED, "refused", "not requested")}
    for target in targets:
        groups[_request_group(target)].append(target.display_name)
    print("interrupted; requests that were made stay in force:", file=sys.stderr)  # noqa: T201
    for group, names in groups.items():
        if names:
            shown = ", ".join(names[:MAX_NAMES_PER_GROUP]) + (", …" if len(names) > MAX_NAMES_PER_GROUP else "")
            print(f"  {len(names):,} {group}: {shown}", file=sys.stderr)  # noqa: T201
    if groups["not requested"]:
        print("Repeat the command to request the rest.", file=sys.stderr)  # noqa: T201


def _request_group(target: Target) -> str:
    """Return the group of a target in the summary: whether the API server stored its request."""
    match target.status.state:
        case State.WAITING:
            return "not requested"
        case State.SENDING:
            return UNANSWERED
        case _:
            return "requested" if target.generation else "refused"
