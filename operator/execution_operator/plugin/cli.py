"""The command line of `kubectl execution`: runs one command. It never shows a traceback.

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
"""The module of each command. Each has `run(arguments) -> int`, or a coroutine of that form."""


def main() -> None:
    """Run the command line."""
    sys.exit(run(sys.argv[1:]))


def run(words: list[str]) -> int:
    """Run a command; return its exit code."""
    from execution_operator.plugin.parser import parse  # noqa: PLC0415 - as late as the rest

    try:
        arguments = parse(words)
        return _dispatch(import_module(COMMANDS[arguments.command]).run(arguments))
    except Failure as failure:
        _say(str(failure))
        return failure.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except Exception as error:
        if os.environ.get("KUBECTL_EXECUTION_DEBUG"):
            raise
        _say(f"{type(error).__name__}: {error} (KUBECTL_EXECUTION_DEBUG=1 shows where)")
        return Exit.FAILED


def _dispatch(result: object) -> int:
    if isinstance(result, int):
        return result
    import asyncio  # noqa: PLC0415 - completion and help do without

    code: int = asyncio.run(result)  # type: ignore[arg-type]  # a coroutine, by the agreement above
    return code


def _say(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)  # noqa: T201 - the answer of a command
