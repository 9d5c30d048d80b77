"""A TCP proxy that can be blocked. While blocked, it breaks each connection and counts the attempts."""

import asyncio
import threading
from contextlib import suppress

from tests.support.ports import free_port
from tests.support.server import Server

CHUNK = 1 << 16


class TcpProxy(Server):
    """Listens on its own loopback port, in its own thread."""

    def __init__(self, upstream: str) -> None:
        self._host, port = upstream.split(":")
        self._upstream_port = int(port)
        self._port = free_port()
        self._open = True
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self.attempts = 0
        """Connections that arrived while the proxy was blocked."""

    @property
    def address(self) -> str:
        """The address of the proxy."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        listen = asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._server = asyncio.run_coroutine_threadsafe(listen, self._loop).result(5)

    def stop(self) -> None:
        """Break all connections, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)

    def block(self) -> None:
        """Break all connections, and refuse new ones."""
        self._open = False
        self._loop.call_soon_threadsafe(self._break)

    def unblock(self) -> None:
        """Accept connections again."""
        self._open = True

    async def _end(self) -> None:
        self._server.close()
        self._break()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _break(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            self.attempts += 1
            writer.transport.abort()
            return
        up_reader, up_writer = await asyncio.open_connection(self._host, self._upstream_port)
        self._writers |= {writer, up_writer}
        with suppress(asyncio.CancelledError):
            await asyncio.gather(self._pipe(reader, up_writer), self._pipe(up_reader, writer))
        self._writers -= {writer, up_writer}

    @staticmethod
    async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        writer.close()
