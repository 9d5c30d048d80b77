"""`kubectl execution watch`: a live table on a terminal, else one line for each change."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from execution_operator.plugin.client import Client, Json
from execution_operator.plugin.exit_codes import Exit
from execution_operator.plugin.follow import Change, Scope, changes, key
from execution_operator.plugin.request_state import closed, condition
from execution_operator.plugin.targets import scope_of
from execution_operator.plugin.values import age, plural

if TYPE_CHECKING:
    from rich.console import Group

COLOURS = {"running": "green", "paused": "yellow", "terminating": "magenta", "failed": "red", "cancelled": "cyan"}
FIELDS = ("NAMESPACE", "NAME", "PHASE", "ANSWER", "REASON", "TERMINATED", "AGE")


async def run(arguments: Namespace) -> int:
    """Show changes until Ctrl-C."""
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
    async with aclosing(_named(client, scope, names)) as following:
        async for change in following:
            cells = "DELETED" if change.deleted else "   ".join(cell or "-" for cell in cells_of(change.object)[2:6])
            print(f"{'/'.join(key(change.object))}   {cells}", flush=True)  # noqa: T201


async def _table(client: Client, scope: Scope, names: set[str]) -> None:
    from rich.live import Live  # noqa: PLC0415 - pipes do without

    items: dict[tuple[str, str], Json] = {}
    with Live(get_renderable=lambda: _picture(items), refresh_per_second=4, screen=False):
        async with aclosing(_named(client, scope, names)) as following:
            async for change in following:
                items.pop(key(change.object), None)  # what changed last stands last
                if not change.deleted:
                    items[key(change.object)] = change.object


async def _named(client: Client, scope: Scope, names: set[str]) -> AsyncGenerator[Change, None]:
    """Yield the changes of the named Executions, or of all."""
    async with aclosing(changes(client, scope)) as following:
        async for change in following:
            if not names or key(change.object)[1] in names:
                yield change


def cells_of(item: Json) -> list[str]:
    """Return the cells of one Execution."""
    meta, status = item["metadata"], item.get("status", {})
    answer = condition(item, "Terminated")
    return [
        meta["namespace"],
        meta["name"],
        status.get("phase", ""),
        answer["reason"] if answer else "",
        (item["spec"].get("terminate") or {}).get("reason", ""),
        status.get("terminatedAt", ""),
        age(meta["creationTimestamp"]),
    ]


def _picture(items: dict[tuple[str, str], Json]) -> "Group":
    """Return the table: open Executions first, then the last changed ones, as many as fit."""
    from rich.console import Console, Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    room = max(5, Console().height - 4)
    newest = [item for item in reversed(items.values()) if not closed(item)]
    newest += [item for item in reversed(items.values()) if closed(item)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for field in FIELDS:
        table.add_column(field, no_wrap=True, overflow="ellipsis")
    for item in newest[:room]:
        cells = cells_of(item)
        table.add_row(*(Text(cell, style=COLOURS.get(cell, "")) for cell in cells))
    return Group(table, Text(f"{plural(len(items))}; Ctrl-C ends", style="dim"))
