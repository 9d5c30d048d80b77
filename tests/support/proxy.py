"""The base of the fault proxies: a listener on the loopback interface, in a thread with a loop of its own."""

import abc
import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tests.support.faults import Faults
from tests.support.ports import free_port
from tests.support.server import Server

T = TypeVar("T")

MAX_CONCURRENT_FAULTS = 64
"""Threads for the `then` functions of rules. The faults of many requests may wait for each other."""

GARBAGE = b"\x00\xff\x13\x37 this is no protocol \xfe" * 20


class Proxy(Server):
    """A proxy between the operator and one server.

    Args:
        faults: The rules.
    """

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(MAX_CONCURRENT_FAULTS))
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self._do(self._open())

    def stop(self) -> None:
        """Break all connections, and end the thread."""
        if self._thread.is_alive():
            self._do(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def break_all(self) -> None:
        """Break all connections."""
        self._do(self._break())

    @abc.abstractmethod
    async def _open(self) -> None:
        """Listen."""

    @abc.abstractmethod
    async def _close(self) -> None:
        """Stop listening."""

    @abc.abstractmethod
    async def _break(self) -> None:
        """Break all connections."""

    async def _end(self) -> None:
        await self._close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_default_executor()

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)
