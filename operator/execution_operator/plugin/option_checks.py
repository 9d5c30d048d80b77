"""Checks of options that exclude or need each other. Wrong usage ends the command with exit code 2."""

from argparse import Namespace

MAX_REASON_LENGTH = 500
"""The most characters of a reason."""

MAX_EXECUTION_ID_LENGTH = 255
"""The most characters of `spec.executionId`."""


def check_terminate(arguments: Namespace) -> None:
    """Check the options of `terminate`."""
    selections = [bool(arguments.names), bool(arguments.selector), arguments.all, bool(arguments.execution_id)]
    if sum(selections) != 1:
        arguments.fail("select Executions by exactly one of NAME…, -l, --all and --execution-id")
    if arguments.all_namespaces and (arguments.names or arguments.execution_id):
        arguments.fail("-A needs -l or --all: names and IDs are looked up in one namespace")
    if arguments.all_namespaces and arguments.namespace:
        arguments.fail("-A and -n exclude each other")
    if not 1 <= len(arguments.reason) <= MAX_REASON_LENGTH or not arguments.reason.strip():
        arguments.fail(f"--reason must have 1 to {MAX_REASON_LENGTH} characters, and not be blank")
    if any(not each.strip() or len(each) > MAX_EXECUTION_ID_LENGTH for each in arguments.execution_id):
        arguments.fail(f"--execution-id must have 1 to {MAX_EXECUTION_ID_LENGTH} characters, and not be blank")
    if arguments.dry_run != "none" and arguments.wait is not None:
        arguments.fail("--wait and --dry-run exclude each other: a dry run has no outcome")


def check_selection(arguments: Namespace) -> None:
    """Check the options of `get` and `watch` that select Executions."""
    if arguments.names and arguments.selector:
        arguments.fail("NAME and -l exclude each other")
    if arguments.names and arguments.all_namespaces:
        arguments.fail("-A and NAME exclude each other: name the namespace with -n")
