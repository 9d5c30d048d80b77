"""Runs tasks together: the end of any of them, or a stop, ends them all."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class Stopping(Exception):  # noqa: N818 - a stop is no error
    """The stop event is set, or a task has ended. What is awaited will not come."""


class Supervisor:
    """Tasks that are meant to run until the process stops.

    Args:
        stop: Set from outside to stop.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stopped = asyncio.create_task(stop.wait())
        self._tasks: list[asyncio.Task[Any]] = []
        self._ended: set[asyncio.Task[Any]] = set()

    def start(self, *coroutines: Coroutine[Any, Any, Any]) -> None:
        """Start a task for each coroutine."""
        self._tasks += [asyncio.create_task(coroutine) for coroutine in coroutines]

    async def wait_until(self, condition: Coroutine[Any, Any, Any]) -> None:
        """Wait until a condition is met, for instance the first list of a watch.

        Raises:
            Stopping: The stop event was set, or a task ended, before that.
        """
        met = asyncio.create_task(condition)
        done, _ = await asyncio.wait([met, self._stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        if done != {met}:
            met.cancel()
            self._ended = done & set(self._tasks)
            raise Stopping

    async def wait_until_stopped(self) -> None:
        """Wait until the stop event is set, or a task ends."""
        done, _ = await asyncio.wait([self._stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        self._ended = done & set(self._tasks)

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in (self._stopped, *self._tasks):
            task.cancel()

    async def wait_for_end(self, seconds: float) -> None:
        """Wait until the cancelled tasks have ended, but not longer than this many seconds."""
        await asyncio.wait([self._stopped, *self._tasks], timeout=seconds)

    def raise_error(self) -> None:
        """Raise the error of the task whose end stopped the others, if it ended with one."""
        for task in self._ended:
            task.result()
