"""The question before several Executions are terminated."""

import asyncio
import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from execution_operator.plugin.confirmation import ask
from execution_operator.plugin.exit_codes import Exit, Failure

Keys = Callable[[str], None]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """Return a function that types text into the standard input."""
    there, here = os.pipe()
    with os.fdopen(there) as terminal, os.fdopen(here, "w") as keyboard:
        monkeypatch.setattr(sys, "stdin", terminal)

        def typed(text: str) -> None:
            keyboard.write(text)
            keyboard.flush()

        yield typed


class InterruptingTerminal(io.StringIO):
    """A terminal whose user presses Ctrl-C as soon as something is printed."""

    def write(self, text: str) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return len(text)


@pytest.mark.parametrize("line", ["y\n", "YES\n"])
def test_yes_agrees(line: str, keys: Keys) -> None:
    keys(line)
    assert asyncio.run(ask("All?"))


@pytest.mark.parametrize("line", ["n\n", "\n", "yesterday\n"])
def test_other_answers_refuse(line: str, keys: Keys) -> None:
    keys(line)
    assert not asyncio.run(ask("All?"))


def test_ctrl_c_while_the_question_is_printed(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "stderr", InterruptingTerminal())
    with pytest.raises(Failure, match="nothing was requested") as caught:
        asyncio.run(ask("All?"))
    assert caught.value.code == Exit.INTERRUPTED
    assert signal.getsignal(signal.SIGINT) is before
    keys("y\n")
    assert sys.stdin.readline() == "y\n"


def test_ctrl_c_where_stdin_cannot_be_awaited(keys: Keys) -> None:
    class LoopWithoutSignalHandlers(asyncio.SelectorEventLoop):
        """An event loop with the limits of Windows."""

        def add_signal_handler(self, *_: object) -> None:
            raise NotImplementedError

        def remove_signal_handler(self, *_: object) -> bool:
            raise NotImplementedError

        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    pid = os.getpid()
    threading.Timer(0.2, os.kill, (pid, signal.SIGINT)).start()
    with asyncio.Runner(loop_factory=LoopWithoutSignalHandlers) as runner, pytest.raises(KeyboardInterrupt):
        runner.run(ask("All?"))
    keys("y\n")
    with asyncio.Runner(loop_factory=LoopWithoutSignalHandlers) as runner:
        assert runner.run(ask("All?"))


def test_ctrl_c_while_waiting_for_the_answer(keys: Keys, capsys: pytest.CaptureFixture[str]) -> None:
    async def ask_and_interrupt() -> None:
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGINT)
        await ask("All?")

    with pytest.raises(Failure):
        asyncio.run(ask_and_interrupt())
    assert capsys.readouterr().err == "All? [y/N] "
    keys("late\n")
