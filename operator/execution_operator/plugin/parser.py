"""The command line: commands, options and their help."""

import argparse
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

from execution_operator import __version__
from execution_operator.plugin.exit_codes import Exit
from execution_operator.plugin.values import bare, duration, grace

T = TypeVar("T")

WAIT = "5m"
"""What --wait means without a time."""

REASON, IDENTIFIER = 500, 255
"""Characters of a reason, and of an execution ID."""

DESCRIPTION = "Terminates the Temporal workflows behind Executions, and shows how they stand."

EXAMPLES = """\
examples:
  # end one workflow, and wait until Temporal shows that it is closed
  kubectl execution terminate stubborn -n team-a --reason "runaway cost" --wait

  # end all that bear a label, with 30 seconds for each to end by itself
  kubectl execution terminate -l batch=nightly --reason "wrong input" --grace 30s --wait=10m

  # end a workflow that has no Execution yet
  kubectl execution terminate --execution-id 0f8c2a9e-… --reason "orphaned"

  # what a request would do, and who may make it
  kubectl execution terminate --all -n team-a --reason "drill" --dry-run=server

  # Executions for all workflows that run in my Temporal namespace
  kubectl execution import -n team-a --query "WorkflowType='Agent'"

  # why does it not work?
  kubectl execution doctor -n team-a

exit codes: 0 all went well, 1 some failed, 2 wrong usage, 3 timed out, 130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and name the help."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(Exit.USAGE, f"error: {message}\nSee '{self.prog} --help'.\n")


def parse(words: list[str]) -> argparse.Namespace:
    """Return the command and its checked options."""
    parser = build()
    arguments, more = parser.parse_known_args([f"--wait={WAIT}" if word == "--wait" else word for word in words])
    for word, following in pairwise(words):
        if word == "--wait" and _is_duration(following):  # which would be taken for a name
            arguments.fail(f"write --wait={following}")
    if more:
        arguments.fail(f"unrecognized arguments: {' '.join(more)}")
    if arguments.command == "terminate":
        _check_terminate(arguments)
    elif arguments.command in ("get", "watch"):
        _check_names(arguments)
    return arguments


def build() -> Parser:
    """Return the parser of all commands."""
    parser = Parser(
        prog="kubectl execution",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=__version__)
    common = _common(argparse.SUPPRESS)
    _connection(parser, None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_terminate, _get, _describe, _watch, _import, _doctor, _completion):
        add(commands, common)
    return parser


def _common(default: Any) -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    _connection(common, default)
    return common


def _connection(parser: argparse.ArgumentParser, default: Any) -> None:
    group = parser.add_argument_group("connection, as kubectl has it")
    group.add_argument("-n", "--namespace", default=default, help="namespace (default: the context's)")
    group.add_argument("--context", default=default, help="context of the kubeconfig")
    group.add_argument("--kubeconfig", default=default, metavar="FILE", help="kubeconfig (default: KUBECONFIG)")
    group.add_argument("--as", dest="user", default=default, metavar="USER", help="act as this user")
    group.add_argument("--as-group", dest="groups", action="append", default=default, metavar="GROUP", help="and group")


def _command(commands: Any, common: argparse.ArgumentParser, name: str, words: str, **more: Any) -> Any:
    parser = commands.add_parser(
        name,
        parents=[common],
        help=words,
        description=words[0].upper() + words[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **more,
    )
    parser.set_defaults(fail=parser.error)
    return parser


def _which(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", nargs="*", type=_read(bare), metavar="NAME", help="name of an Execution")
    parser.add_argument("-l", "--selector", help="label selector")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="in every namespace")


def _terminate(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "terminate", "terminate the workflows of Executions", epilog=EXAMPLES)
    _which(parser)
    parser.add_argument("--all", action="store_true", help="all Executions that are not closed")
    parser.add_argument(
        "--execution-id",
        action="append",
        default=[],
        metavar="ID",
        help="by UUID or workflow ID; an Execution is created where there is none",
    )
    parser.add_argument("--reason", required=True, help="why: 1 to 500 characters, verbatim in Temporal's history")
    parser.add_argument(
        "--grace",
        type=_read(grace),
        default=0,
        metavar="TIME",
        help="request cancellation, and terminate after this time",
    )
    parser.add_argument(
        "--wait",
        type=_read(duration),
        metavar="TIME",
        help=f"wait for the outcomes (--wait=TIME; --wait alone: {WAIT})",
    )
    parser.add_argument("--dry-run", choices=("none", "server", "client"), default="none", help="change nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask")
    parser.add_argument("-o", "--output", choices=("json", "yaml", "name"), help="print the objects")
    parser.add_argument(
        "--concurrency", type=_positive, default=32, metavar="N", help="requests at once (default: %(default)s)"
    )


def _get(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "get", "list Executions")
    _which(parser)
    parser.add_argument("-o", "--output", choices=("wide", "json", "yaml", "name"), help="format")


def _describe(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "describe", "tell what happened to an Execution, in order")
    parser.add_argument("names", nargs="+", type=_read(bare), metavar="NAME", help="name of an Execution")


def _watch(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "watch", "follow Executions until Ctrl-C")
    _which(parser)


def _import(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(
        commands,
        common,
        "import",
        "create Executions for workflows that run in Temporal",
        epilog="Temporal is found as by every Temporal tool: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TOML profiles.\n"
        "Workflows that have an Execution are left out, so an interrupted import can be repeated.",
    )
    parser.add_argument("--query", default="", help="visibility query, beside ExecutionStatus='Running'")
    parser.add_argument(
        "--limit", type=_positive, default=1000, help="most Executions to create (default: %(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="tell what would be created")
    parser.add_argument("--profile", help="Temporal profile of the TOML file")
    parser.add_argument(
        "--concurrency", type=_positive, default=16, metavar="N", help="requests at once (default: %(default)s)"
    )


def _doctor(commands: Any, common: argparse.ArgumentParser) -> None:
    _command(commands, common, "doctor", "check all that a termination needs, and say what to mend")


def _completion(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "completion", "print the completion script of a shell")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def _check_terminate(arguments: argparse.Namespace) -> None:
    ways = [bool(arguments.names), bool(arguments.selector), arguments.all, bool(arguments.execution_id)]
    if sum(ways) != 1:
        arguments.fail("say which: NAME…, -l, --all or --execution-id, and only one of them")
    if arguments.all_namespaces and (arguments.names or arguments.execution_id):
        arguments.fail("-A goes with -l or --all")
    if arguments.all_namespaces and arguments.namespace:
        arguments.fail("-A and -n exclude each other")
    if not 1 <= len(arguments.reason) <= REASON or not arguments.reason.strip():
        arguments.fail(f"--reason must have 1 to {REASON} characters, and not be blank")
    if any(not each.strip() or len(each) > IDENTIFIER for each in arguments.execution_id):
        arguments.fail(f"--execution-id must have 1 to {IDENTIFIER} characters, and not be blank")
    if arguments.dry_run != "none" and arguments.wait is not None:
        arguments.fail("--wait makes no sense with --dry-run")


def _check_names(arguments: argparse.Namespace) -> None:
    if arguments.names and arguments.selector:
        arguments.fail("NAME and -l exclude each other")
    if arguments.names and arguments.all_namespaces:
        arguments.fail("-A goes without names: say in which namespace")


def _is_duration(text: str) -> bool:
    try:
        duration(text)
    except ValueError:
        return False
    return True


def _read(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return a conversion of a value in the form that argparse takes."""

    def reader(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return reader


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive number")
    return int(text)
