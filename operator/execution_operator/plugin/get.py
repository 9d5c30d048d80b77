"""`kubectl execution get`: the API server's own table."""

import sys
from argparse import Namespace

from execution_operator.plugin import output
from execution_operator.plugin.client import TABLE, Client, Json, executions
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.targets import present, scope_of


async def run(arguments: Namespace) -> int:
    """Print the Executions, and return the exit code."""
    async with Client.of(arguments) as client:
        accept = TABLE if arguments.output in (None, "wide") else "application/json"
        scope = scope_of(arguments, client)
        path = executions(scope.namespace)
        if arguments.names:
            paths = [f"{path}/{name}" for name in arguments.names]
            pages, missing = await present(client, paths, accept)
        else:
            pages, missing = [page async for page in client.pages(path, accept, **scope.query)], []
    if accept != TABLE:
        output.objects(arguments.output, [item for page in pages for item in page.get("items", [page])])
    else:
        _print(arguments, pages, f" in {scope.namespace} namespace" if scope.namespace else "")
    if missing:
        raise Failure("\nerror: ".join(map(str, missing)))
    return Exit.OK


def _print(arguments: Namespace, pages: list[Json], where: str) -> None:
    rows = [row for page in pages for row in page["rows"]]
    if not rows:
        if not arguments.names:
            print(f"No resources found{where}.", file=sys.stderr)  # noqa: T201
        return
    columns = pages[0]["columnDefinitions"]
    shown = [number for number, column in enumerate(columns) if arguments.output == "wide" or not column["priority"]]
    table = [[columns[number]["name"].upper() for number in shown]]
    table += [[_cell(row["cells"][number]) for number in shown] for row in rows]
    if arguments.all_namespaces:
        spaces = ["NAMESPACE", *(_namespace(row) for row in rows)]
        table = [[space, *line] for space, line in zip(spaces, table, strict=True)]
    _print_table(table)


def _print_table(table: list[list[str]]) -> None:
    """Print rows in columns, as kubectl does."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        print("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())  # noqa: T201


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("\n", "\\n")


def _namespace(row: Json) -> str:
    namespace: str = row["object"]["metadata"]["namespace"]
    return namespace
