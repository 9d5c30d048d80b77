"""Connections as asyncio's streams have them, in the clear or over TLS. Standard library only: a pod runs this too."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
CHUNK = 65536


class Plain:
    """Bytes as they come."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        """Return what comes next; nothing once the peer has closed."""
        return await self._reader.read(CHUNK)

    def write(self, data: bytes) -> None:
        """Send."""
        self._writer.write(data)

    def close(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()


class Tls(Plain):
    """Bytes over TLS. asyncio's own closes without the alert that says why; other servers send it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        super().__init__(reader, writer)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)

    async def shake_hands(self) -> bytes | None:
        """Return the caller's certificate in DER form, if it has one, once it has shown that it is acceptable."""
        try:
            await self._until_done(self._tls.do_handshake)
        except ssl.SSLError:
            self._writer.write_eof()
            with contextlib.suppress(OSError):
                await self._reader.read()  # closing with data unread would overtake the alert
            raise
        return self._tls.getpeercert(binary_form=True)

    async def read(self) -> bytes:
        """Return what comes next; nothing once the peer has closed."""
        return await self._until_done(lambda: self._tls.read(CHUNK))

    def write(self, data: bytes) -> None:
        """Send."""
        if data:
            self._tls.write(data)
            self._writer.write(self._out.read())

    async def _until_done(self, step: Callable[[], T]) -> T:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                await self._feed()
            finally:
                self._writer.write(self._out.read())

    async def _feed(self) -> None:
        self._writer.write(self._out.read())
        if data := await self._reader.read(CHUNK):
            self._in.write(data)
        else:
            raise ConnectionResetError
