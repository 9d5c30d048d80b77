"""The parser of the command line: commands, options and their help."""

import argparse
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

from execution_operator import __version__
from execution_operator.plugin.exit_codes import Exit
from execution_operator.plugin.help_texts import DESCRIPTION, DRY_RUN_HELP, EXAMPLES
from execution_operator.plugin.option_checks import check_selection, check_terminate
from execution_operator.plugin.values import duration, execution_name, grace

T = TypeVar("T")

DEFAULT_WAIT = "5m"
"""The time of --wait without a value."""


class Parser(argparse.ArgumentParser):
    """An argument parser that prints one line for an error, and one line that points to the help."""

    def error(self, message: str) -> NoReturn:
        """Print an error, and exit with code 2."""
        self.exit(Exit.USAGE, f"error: {message}\nSee '{self.prog} --help'.\n")


def parse(words: list[str]) -> argparse.Namespace:
    """Return the command and its options, after all checks.

    Wrong usage prints an error and exits with code 2.
    """
    parser = build()
    arguments, unknown = parser.parse_known_args(
        [f"--wait={DEFAULT_WAIT}" if word == "--wait" else word for word in words]
    )
    for word, following in pairwise(words):
        if word == "--wait" and _is_duration(following):  # argparse takes the time for a name
            arguments.fail(f"write --wait={following}")
    if unknown:
        arguments.fail(f"unrecognized arguments: {' '.join(unknown)}")
    if arguments.command == "terminate":
        check_terminate(arguments)
    elif arguments.command in ("get", "watch"):
        check_selection(arguments)
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
    common = argparse.ArgumentParser(add_help=False)
    _connection(common, argparse.SUPPRESS)  # keeps the options before the command
    _connection(parser, None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for add in (_terminate, _get, _describe, _watch, _import, _doctor, _completion):
        add(commands, common)
    return parser


def _connection(parser: argparse.ArgumentParser, default: Any) -> None:
    group = parser.add_argument_group("connection options, as in kubectl")
    group.add_argument("-n", "--namespace", default=default, help="namespace (default: the namespace of the context)")
    group.add_argument("--context", default=default, help="context of the kubeconfig (default: its current context)")
    group.add_argument(
        "--kubeconfig", default=default, metavar="FILE", help="kubeconfig (default: $KUBECONFIG or ~/.kube/config)"
    )
    group.add_argument("--as", dest="user", default=default, metavar="USER", help="user to impersonate")
    group.add_argument(
        "--as-group",
        dest="groups",
        action="append",
        default=default,
        metavar="GROUP",
        help="group to impersonate; may be repeated",
    )


def _command(commands: Any, common: argparse.ArgumentParser, name: str, summary: str, **options: Any) -> Any:
    """Add a command with its summary, and return its parser."""
    parser = commands.add_parser(
        name,
        parents=[common],
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )
    parser.set_defaults(fail=parser.error)
    return parser


def _selection(parser: argparse.ArgumentParser) -> None:
    """Add the options that select Executions."""
    parser.add_argument(
        "names", nargs="*", type=_argument_type(execution_name), metavar="NAME", help="name of an Execution"
    )
    parser.add_argument("-l", "--selector", help="label selector")
    parser.add_argument("-A", "--all-namespaces", action="store_true", help="Executions of all namespaces")


def _terminate(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "terminate", "terminate the workflows of Executions", epilog=EXAMPLES)
    _selection(parser)
    parser.add_argument("--all", action="store_true", help="all Executions whose workflow is open")
    parser.add_argument(
        "--execution-id",
        action="append",
        default=[],
        metavar="ID",
        help="execution ID: a UUID or workflow ID; an Execution is created if there is none; may be repeated",
    )
    parser.add_argument(
        "--reason",
        required=True,
        help="reason of the termination, 1 to 500 characters, recorded verbatim in Temporal's history",
    )
    parser.add_argument(
        "--grace",
        type=_argument_type(grace),
        default=0,
        metavar="TIME",
        help="grace period: request cancellation first, and terminate after this time (default: 0, at most 24h)",
    )
    parser.add_argument(
        "--wait",
        type=_argument_type(duration),
        metavar="TIME",
        help=f"wait this long for the outcomes, written as --wait=TIME (--wait without a time: {DEFAULT_WAIT})",
    )
    parser.add_argument("--dry-run", choices=("none", "server", "client"), default="none", help=DRY_RUN_HELP)
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask before several Executions are terminated")
    parser.add_argument("-o", "--output", choices=("json", "yaml", "name"), help="print the Executions in this format")
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=32,
        metavar="N",
        help="number of concurrent requests (default: %(default)s)",
    )


def _get(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "get", "list Executions")
    _selection(parser)
    parser.add_argument(
        "-o", "--output", choices=("wide", "json", "yaml", "name"), help="output format (default: a table)"
    )


def _describe(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "describe", "show the facts about Executions, and their history")
    parser.add_argument(
        "names", nargs="+", type=_argument_type(execution_name), metavar="NAME", help="name of an Execution"
    )


def _watch(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "watch", "show Executions and their changes until Ctrl-C")
    _selection(parser)


def _import(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(
        commands,
        common,
        "import",
        "create Executions for the open workflows of a Temporal namespace",
        epilog="The connection to Temporal is configured as for other Temporal tools: by the variables\n"
        "TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE, or by profiles in a TOML file. Workflows that have an\n"
        "Execution are left out, so an interrupted import can be repeated.",
    )
    parser.add_argument("--query", default="", help="visibility query that is added to ExecutionStatus='Running'")
    parser.add_argument(
        "--limit", type=_positive, default=1000, help="maximum number of Executions to create (default: %(default)s)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would be created, and create nothing")
    parser.add_argument("--profile", help="profile of Temporal's TOML file")
    parser.add_argument(
        "--concurrency",
        type=_positive,
        default=16,
        metavar="N",
        help="number of concurrent requests (default: %(default)s)",
    )


def _doctor(commands: Any, common: argparse.ArgumentParser) -> None:
    _command(commands, common, "doctor", "check everything that a termination needs, and say how to fix what is wrong")


def _completion(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = _command(commands, common, "completion", "print the completion script of a shell")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="shell")


def _is_duration(text: str) -> bool:
    try:
        duration(text)
    except ValueError:
        return False
    return True


def _argument_type(convert: Callable[[str], T]) -> Callable[[str], T]:
    """Return a conversion whose ValueErrors become errors of argparse, with their message."""

    def converted(text: str) -> T:
        try:
            return convert(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return converted


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)
