"""The question that the user must confirm before several Executions are terminated."""

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
"""The number of Executions that the question names."""


async def confirmed(arguments: Namespace, selection: Selection) -> bool:
    """Return whether to continue.

    The user is asked if several Executions are selected and stdin is a terminal, but not with --yes or a dry run.
    """
    count = len(selection.targets)
    if count == 1 or arguments.yes or arguments.dry_run != "none" or not sys.stdin.isatty():
        return True
    namespaces = sorted({target.namespace for target in selection.targets})
    where = namespaces[0] if len(namespaces) == 1 else plural(len(namespaces), "namespace")
    names = ", ".join(target.display_name for target in selection.targets[:MAX_NAMES]) + (
        ", …" if count > MAX_NAMES else ""
    )
    return await ask(f"Terminate {plural(count)} in {where}: {names}?")


async def ask(question: str) -> bool:
    """Ask on the terminal, and return whether the answer is `y` or `yes`.

    Raises:
        Failure: The user pressed Ctrl-C, even while the question was being printed.
        KeyboardInterrupt: The user pressed Ctrl-C on a system where stdin can't be awaited, such as Windows.
    """
    try:
        with interruptible():
            sys.stderr.write(f"{question} [y/N] ")
            sys.stderr.flush()
            await _line_typed()
    except asyncio.CancelledError:
        raise Failure("nothing was requested", Exit.INTERRUPTED) from None
    # asyncio's handler would act only after the line is read.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.readline().strip().lower() in ("y", "yes")
    finally:
        signal.signal(signal.SIGINT, before)


async def _line_typed() -> None:
    """Wait until stdin has a line, and leave the line unread. A blocking read would miss a signal just before it.

    Return at once on systems where stdin can't be awaited.
    """
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
    """Let each Ctrl-C cancel this task at its present `await`.

    asyncio's own handler does so for the first Ctrl-C only. The second one raises KeyboardInterrupt at any place.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker: a coroutine runs in a task
    with suppress(NotImplementedError):  # Windows has no signal handlers of an event loop
        loop.add_signal_handler(signal.SIGINT, task.cancel)
    try:
        yield
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
