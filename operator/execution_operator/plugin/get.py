"""`kubectl execution get`: the table of the API server, as `kubectl get` prints it."""

import sys
from argparse import Namespace

from execution_operator.plugin.client import TABLE_MEDIA_TYPE, Client, Json, executions_path
from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.output import print_objects
from execution_operator.plugin.targets import get_existing, scope_of


async def run(arguments: Namespace) -> int:
    """Print the Executions, and return the exit code.

    Raises:
        Failure: A named Execution does not exist. The others are printed before.
    """
    async with Client.of(arguments) as client:
        accept = TABLE_MEDIA_TYPE if arguments.output in (None, "wide") else "application/json"
        scope = scope_of(arguments, client)
        path = executions_path(scope.namespace)
        if arguments.names:
            paths = [f"{path}/{name}" for name in arguments.names]
            pages, missing = await get_existing(client, paths, accept)
        else:
            pages, missing = [page async for page in client.pages(path, accept, **scope.query)], []
    if accept != TABLE_MEDIA_TYPE:
        print_objects(arguments.output, [item for page in pages for item in page.get("items", [page])])
    else:
        _print_pages(arguments, pages, f" in {scope.namespace} namespace" if scope.namespace else "")
    if missing:
        raise Failure("\nerror: ".join(map(str, missing)))
    return Exit.OK


def _print_pages(arguments: Namespace, pages: list[Json], where: str) -> None:
    """Print the rows of all pages, or a message where there are none and no names were given."""
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
        namespaces = ["NAMESPACE", *(_namespace(row) for row in rows)]
        table = [[namespace, *line] for namespace, line in zip(namespaces, table, strict=True)]
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
