"""The question before more than one."""

import asyncio
import io
import os
import signal
import sys

import pytest

from execution_operator.plugin.terminate import ask


class Hasty(io.StringIO):
    """A terminal whose user presses Ctrl-C as soon as there is something to read."""

    def write(self, text: str) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return len(text)


async def asked() -> bool:
    """Ask where a command does: in a coroutine, with asyncio's own way with Ctrl-C."""
    return ask("Terminate all?")


@pytest.mark.parametrize("typed", ["y", "YES"])
def test_yes_agrees(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    assert asyncio.run(asked())


@pytest.mark.parametrize("typed", ["n", "", "yesterday"])
def test_nothing_else_does(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed}\n"))
    assert not asyncio.run(asked())


def test_ctrl_c_counts_from_the_first_letter_of_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    answers = io.StringIO("y\n")
    monkeypatch.setattr(sys, "stderr", Hasty())
    monkeypatch.setattr(sys, "stdin", answers)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(asked())
    assert answers.tell() == 0
    assert signal.getsignal(signal.SIGINT) is before
