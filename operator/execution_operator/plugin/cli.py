"""The entry point of `kubectl execution`: runs one command, and prints errors without a traceback.

The packages of a command are imported when it runs, so that --help is fast.
"""

import os
import sys
from importlib import import_module

from execution_operator.plugin.exit_codes import Exit, Failure

COMMANDS = {
    "terminate": "execution_operator.plugin.terminate",
    "get": "execution_operator.plugin.get",
    "describe": "execution_operator.plugin.describe",
    "watch": "execution_operator.plugin.watch",
    "import": "execution_operator.plugin.import_workflows",
    "doctor": "execution_operator.plugin.doctor",
    "completion": "execution_operator.plugin.completion",
}
"""The module of each command. Its function `run(arguments)` returns the exit code, or a coroutine that does."""


def main() -> None:
    """Run the command line of this process, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run a command.

    Args:
        words: The command line without the name of the program.

    Returns:
        The exit code.
    """
    from execution_operator.plugin.parser import parse  # noqa: PLC0415 - imported late like the commands

    try:
        arguments = parse(words)
        return _exit_code(import_module(COMMANDS[arguments.command]).run(arguments))
    except Failure as failure:
        _print_error(str(failure))
        return failure.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # the reader of stdout, for example `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        if os.environ.get("KUBECTL_EXECUTION_DEBUG"):
            raise
        _print_error(f"{type(error).__name__}: {error} (set KUBECTL_EXECUTION_DEBUG=1 to see the traceback)")
        return Exit.FAILED


def _exit_code(result: object) -> int:
    """Return the exit code of a command; run its coroutine where it returned one."""
    if isinstance(result, int):
        return result
    import asyncio  # noqa: PLC0415 - completion and help don't need it

    code: int = asyncio.run(result)  # type: ignore[arg-type]  # a coroutine, see COMMANDS
    return code


def _print_error(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 - the output of a command
