"""The question before several Executions are terminated at once."""

import asyncio
import signal
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from execution_operator.plugin.exit_codes import Exit, Failure
from execution_operator.plugin.targets import Selection
from execution_operator.plugin.values import plural

MAX_NAMES = 5
"""Names that the question shows."""


async def confirmed(arguments: Namespace, selection: Selection) -> bool:
    """Return whether to go on. The user is asked where several Executions are selected and stdin is a terminal."""
    count = len(selection.targets)
    if count == 1 or arguments.yes or arguments.dry_run != "none" or not sys.stdin.isatty():
        return True
    namespaces = sorted({target.namespace for target in selection.targets})
    where = namespaces[0] if len(namespaces) == 1 else plural(len(namespaces), "namespace")
    names = ", ".join(target.short for target in selection.targets[:MAX_NAMES]) + (", …" if count > MAX_NAMES else "")
    return await ask(f"Terminate {plural(count)} in {where}: {names}?")


async def ask(question: str) -> bool:
    """Ask on the terminal, and return whether the answer is `y` or `yes`.

    Raises:
        Failure: Ctrl-C, from the first letter of the question on.
        KeyboardInterrupt: Ctrl-C, where the answer can't be awaited (Windows).
    """
    try:
        with interruptible():
            sys.stderr.write(f"{question} [y/N] ")
            sys.stderr.flush()
            await _input()
    except asyncio.CancelledError:
        raise Failure("nothing was requested", Exit.INTERRUPTED) from None
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # asyncio's own handler would wait for the line
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        signal.signal(signal.SIGINT, before)


async def _input() -> None:
    """Wait for a line without reading it, where that is possible: a read misses a signal that comes just before it."""
    loop, typed = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(sys.stdin, typed.set)
    except (NotImplementedError, OSError):  # Windows; some devices
        return
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let each Ctrl-C cancel this task where it waits. asyncio's own handler interrupts anywhere from the second on."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine runs in one
    with suppress(NotImplementedError):  # Windows has no such handlers
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
