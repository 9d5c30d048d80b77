"""`kubectl execution watch`: a live table on a terminal, else one line for each change."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from execution_operator.plugin.client import Client, Json
from execution_operator.plugin.exit_codes import Exit
from execution_operator.plugin.list_watch import Change, Scope, key, watch_executions
from execution_operator.plugin.request_state import condition, is_closed
from execution_operator.plugin.targets import scope_of
from execution_operator.plugin.values import age, plural

if TYPE_CHECKING:
    from rich.console import Group

PHASE_COLOURS = {"running": "green", "paused": "yellow", "terminating": "magenta", "failed": "red", "cancelled": "cyan"}
"""The colour of each phase on a terminal."""

COLUMNS = ("NAMESPACE", "NAME", "PHASE", "ANSWER", "REASON", "TERMINATED", "AGE")
"""The columns of the table."""

MIN_ROWS = 5
"""The table has at least this number of rows, even if the terminal is lower."""

OTHER_LINES = 4
"""The lines of the terminal that the rows don't use."""


async def run(arguments: Namespace) -> int:
    """Show changes until Ctrl-C, which is the normal end: the exit code is 0."""
    names = set(arguments.names)
    async with Client.of(arguments) as client:
        scope = scope_of(arguments, client)
        if len(names) == 1:
            scope = Scope(scope.namespace, scope.selector, *names)
        show = _table if sys.stdout.isatty() else _lines
        try:
            await show(client, scope, names)
        except asyncio.CancelledError:
            return Exit.OK
    return Exit.OK


async def _lines(client: Client, scope: Scope, names: set[str]) -> None:
    async with aclosing(_named_changes(client, scope, names)) as named_changes:
        async for change in named_changes:
            cells = "DELETED" if change.deleted else "   ".join(cell or "-" for cell in cells_of(change.object)[2:6])
            print(f"{'/'.join(key(change.object))}   {cells}", flush=True)  # noqa: T201


async def _table(client: Client, scope: Scope, names: set[str]) -> None:
    from rich.live import Live  # noqa: PLC0415 - not needed without a terminal

    items: dict[tuple[str, str], Json] = {}
    with Live(get_renderable=lambda: _rendered(items), refresh_per_second=4, screen=False):
        async with aclosing(_named_changes(client, scope, names)) as named_changes:
            async for change in named_changes:
                items.pop(key(change.object), None)  # moves it to the end: the order is that of the last changes
                if not change.deleted:
                    items[key(change.object)] = change.object


async def _named_changes(client: Client, scope: Scope, names: set[str]) -> AsyncGenerator[Change, None]:
    """Yield the changes of the named Executions; of all where no names are given."""
    async with aclosing(watch_executions(client, scope)) as changes:
        async for change in changes:
            if not names or key(change.object)[1] in names:
                yield change


def cells_of(item: Json) -> list[str]:
    """Return the cells of an Execution, in the order of `COLUMNS`."""
    meta, status = item["metadata"], item.get("status", {})
    terminated = condition(item, "Terminated")
    return [
        meta["namespace"],
        meta["name"],
        status.get("phase", ""),
        terminated["reason"] if terminated else "",
        (item["spec"].get("terminate") or {}).get("reason", ""),
        status.get("terminatedAt", ""),
        age(meta["creationTimestamp"]),
    ]


def _rendered(items: dict[tuple[str, str], Json]) -> "Group":
    """Return the table with as many Executions as fit.

    Open Executions come before closed ones, and the last changed ones come first.
    """
    from rich.console import Console, Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    row_count = max(MIN_ROWS, Console().height - OTHER_LINES)
    ordered = [item for item in reversed(items.values()) if not is_closed(item)]
    ordered += [item for item in reversed(items.values()) if is_closed(item)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for item in ordered[:row_count]:
        cells = cells_of(item)
        table.add_row(*(Text(cell, style=PHASE_COLOURS.get(cell, "")) for cell in cells))
    return Group(table, Text(f"{plural(len(items))}; Ctrl-C ends", style="dim"))
