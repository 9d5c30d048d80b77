"""Shell completion: scripts for shells, and the program that kubectl calls (`kubectl_complete-execution`)."""

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from itertools import pairwise

from execution_operator.plugin.exit_codes import Exit
from execution_operator.plugin.parser import build

NO_FILES = ":4"
"""kubectl's ShellCompDirectiveNoFileComp: nothing but what is printed fits."""

SECONDS = 2.0
"""How long the names may take: nobody waits longer for a Tab."""

NAMED = ("terminate", "get", "describe", "watch")

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
    """Print a completion script for `kubectl-execution`. kubectl's own completion serves `kubectl execution`."""
    sys.stdout.write(SCRIPTS[arguments.shell])
    return Exit.OK


def kubectl_main() -> None:
    """Print the completions of the last word, in the form that kubectl expects of its plugins."""
    print(*candidates(sys.argv[1:]), NO_FILES, sep="\n")  # noqa: T201


def candidates(words: list[str]) -> list[str]:
    """Return the completions of the last word."""
    *before, last = words or [""]
    subparsers = next(action for action in build()._actions if isinstance(action, _SubParsersAction))  # noqa: SLF001 - argparse has no other way
    command = next((word for word in before if word in subparsers.choices), None)
    found = list(subparsers.choices) if command is None else _within(command, subparsers.choices[command], before, last)
    return sorted(word for word in found if word.startswith(last))


def _within(command: str, parser: ArgumentParser, before: list[str], last: str) -> list[str]:
    """Return the completions within a command: options, values of options, or names."""
    options = {option: action for action in parser._actions for option in action.option_strings}  # noqa: SLF001
    asking = options.get(before[-1])
    if asking is not None and asking.nargs != 0 and before[-1] != "--wait":  # a bare --wait is complete
        return [str(choice) for choice in asking.choices or []]
    if last.startswith("-"):
        return [option for option in options if option.startswith("--")]
    if command in NAMED:
        return _names(before)
    positional = (action.choices for action in parser._actions if not action.option_strings and action.choices)  # noqa: SLF001
    return [str(choice) for choices in positional for choice in choices]


def _names(words: list[str]) -> list[str]:
    """Return the names of the Executions; none where the API server does not answer in time."""
    import asyncio  # noqa: PLC0415 - options complete without

    try:
        return asyncio.run(asyncio.wait_for(_listed(words), SECONDS))
    except Exception:  # noqa: BLE001 - a Tab must not print errors
        return []


async def _listed(words: list[str]) -> list[str]:
    from execution_operator.plugin.client import Client, executions  # noqa: PLC0415
    from execution_operator.plugin.kubeconfig import load  # noqa: PLC0415

    options: dict[str, str | None] = {"-n": None, "--namespace": None, "--context": None, "--kubeconfig": None}
    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("-") else [word])]
    for option, value in pairwise(parts):
        if option in options:
            options[option] = value
    config = load(options["--kubeconfig"], options["--context"], options["-n"] or options["--namespace"])
    async with Client(config) as client:
        page = await client.get(executions(client.namespace), limit="500")
    return [item["metadata"]["name"] for item in page["items"]]
