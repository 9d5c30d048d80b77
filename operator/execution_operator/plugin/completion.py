"""Shell completion: the scripts of shells, and `kubectl_complete-execution`, which kubectl calls."""

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from itertools import pairwise

from execution_operator.plugin.exit_codes import Exit
from execution_operator.plugin.parser import build

NO_FILES = ":4"
"""kubectl's ShellCompDirectiveNoFileComp: the shell must not add file names to the completions."""

NAMES_TIMEOUT_SECONDS = 2.0
"""The time limit for reading the names of Executions. After it, there are no completions."""

MAX_NAMES = "500"
"""The number of Executions whose names are completed."""

COMMANDS_WITH_NAMES = ("terminate", "get", "describe", "watch")
"""The commands that take names of Executions."""

SCRIPTS = {
    "bash": """\
_kubectl_execution() {
    local candidates
    candidates=$(kubectl_complete-execution "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | grep -v '^:')
    COMPREPLY=($(compgen -W "$candidates" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -F _kubectl_execution kubectl-execution
""",
    "zsh": """\
#compdef kubectl-execution
_kubectl_execution() {
    local -a candidates
    candidates=(${(f)"$(kubectl_complete-execution "${(@)words[2,CURRENT]}" 2>/dev/null | grep -v '^:')"})
    compadd -a candidates
}
compdef _kubectl_execution kubectl-execution
""",
    "fish": """\
function __kubectl_execution
    set -l words (commandline -opc) (commandline -ct)
    kubectl_complete-execution $words[2..] 2>/dev/null | string match -v ':*'
end
complete -c kubectl-execution -f -a '(__kubectl_execution)'
""",
}


def run(arguments: Namespace) -> int:
    """Print a completion script for `kubectl-execution`. For `kubectl execution`, kubectl completes by itself."""
    sys.stdout.write(SCRIPTS[arguments.shell])
    return Exit.OK


def kubectl_main() -> None:
    """Print the completions of the last word, in the form that kubectl expects of its plugins."""
    print(*candidates(sys.argv[1:]), NO_FILES, sep="\n")  # noqa: T201


def candidates(words: list[str]) -> list[str]:
    """Return the completions of the last word of a command line."""
    *before, last = words or [""]
    subparsers = next(action for action in build()._actions if isinstance(action, _SubParsersAction))  # noqa: SLF001 - argparse has no public way
    command = next((word for word in before if word in subparsers.choices), None)
    found = (
        list(subparsers.choices)
        if command is None
        else _within_command(command, subparsers.choices[command], before, last)
    )
    return sorted(word for word in found if word.startswith(last))


def _within_command(command: str, parser: ArgumentParser, before: list[str], last: str) -> list[str]:
    """Return the completions within a command: options, values of options, or names."""
    options = {option: action for action in parser._actions for option in action.option_strings}  # noqa: SLF001
    last_option = options.get(before[-1])
    if last_option is not None and last_option.nargs != 0 and before[-1] != "--wait":  # --wait needs no value
        return [str(choice) for choice in last_option.choices or []]
    if last.startswith("-"):
        return [option for option in options if option.startswith("--")]
    if command in COMMANDS_WITH_NAMES:
        return _names(before)
    positional = (action.choices for action in parser._actions if not action.option_strings and action.choices)  # noqa: SLF001
    return [str(choice) for choices in positional for choice in choices]


def _names(words: list[str]) -> list[str]:
    """Return the names of the Executions; none where they can't be read in time."""
    import asyncio  # noqa: PLC0415 - completions of options don't need it

    try:
        return asyncio.run(asyncio.wait_for(_read_names(words), NAMES_TIMEOUT_SECONDS))
    except Exception:  # noqa: BLE001 - a Tab must not print errors
        return []


async def _read_names(words: list[str]) -> list[str]:
    """Return the names of the Executions in the namespace that the connection options select."""
    from execution_operator.plugin.client import Client, executions_path  # noqa: PLC0415
    from execution_operator.plugin.kubeconfig import load  # noqa: PLC0415

    options: dict[str, str | None] = {"-n": None, "--namespace": None, "--context": None, "--kubeconfig": None}
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("-") else [word])]
    for option, value in pairwise(parts):
        if option in options:
            options[option] = value
    config = load(options["--kubeconfig"], options["--context"], options["-n"] or options["--namespace"])
    async with Client(config) as client:
        page = await client.get(executions_path(client.namespace), limit=MAX_NAMES)
    return [item["metadata"]["name"] for item in page["items"]]
