"""Time that passes only when a test lets it: a clock to stamp with, and an event loop whose timers never wait."""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """A clock of nanoseconds. Every stamp is a little later than the one before."""

    TICK = 1_000_001

    def __init__(self) -> None:
        self._nanoseconds = 0

    def now(self) -> datetime:
        """Return the time as Python holds it."""
        return EPOCH + timedelta(microseconds=self._nanoseconds // 1000)

    def stamp(self) -> str:
        """Return the time as Temporal prints it: nine digits."""
        self._nanoseconds += self.TICK
        return self.after()

    def after(self, seconds: float = 0) -> str:
        """Return the time that it is so many seconds later, as Temporal prints it."""
        seconds, rest = divmod(self._nanoseconds + int(seconds * 1_000_000_000), 1_000_000_000)
        return f"{(EPOCH + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S')}.{rest:09}Z"

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._nanoseconds += int(seconds * 1_000_000_000)


class _Impatient(selectors.DefaultSelector):
    """Never waits: where the loop has nothing to do until its next timer, the time of that timer is now."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if timeout is None and not ready:
            raise RuntimeError("everything waits, and nothing is under way that could end it")
        if not ready:
            self.time += timeout or 0
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._impatient = _Impatient()
        super().__init__(self._impatient)

    def time(self) -> float:
        return self._impatient.time


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine to its end in a loop that skips all waiting. Its clock starts at zero."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits, without a loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("it waits")


def elapsed() -> float:
    """Return the seconds that the running loop believes to have passed."""
    return asyncio.get_running_loop().time()
