"""A fault proxy in front of Temporal: HTTP/2 without TLS. It names each request by its RPC and its workflow."""

import asyncio
import contextlib
import gzip
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from temporalio.api.workflowservice import v1 as service

from tests.support.faults import Call, Faults, carry
from tests.support.proxy import GARBAGE, Proxy

Headers = list[tuple[bytes, bytes]]
PREFIX = 5
"""Bytes in front of a gRPC message: a flag, and its length."""


class GrpcProxy(Proxy):
    """Passes unary calls on to Temporal, and causes the faults of the rules.

    Args:
        upstream: host:port of Temporal.
        faults: What to do to which RPC.
    """

    def __init__(self, upstream: str, faults: Faults) -> None:
        super().__init__(faults)
        self._upstream = upstream
        self._bridges: set[_Bridge] = set()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    async def _open(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def _close(self) -> None:
        self._listener.close()
        await self._break()

    async def _break(self) -> None:
        for bridge in tuple(self._bridges):
            bridge.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._upstream.rsplit(":", 1)
        try:
            up = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()  # Temporal is down
            return
        bridge = _Bridge(self.faults, _Side(reader, writer, client=False), _Side(*up, client=True))
        self._bridges.add(bridge)
        try:
            await bridge.run()
        except asyncio.CancelledError:
            return  # asyncio's own callback would complain
        finally:
            self._bridges.discard(bridge)
            bridge.cut()


@dataclass
class _Message:
    """One half of a unary call."""

    headers: Headers
    body: bytearray = field(default_factory=bytearray)
    trailers: Headers | None = None


class _Side:
    """One of the two HTTP/2 connections."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, client: bool) -> None:
        self.http = H2Connection(H2Configuration(client_side=client, header_encoding=None))
        self._reader, self.writer = reader, writer
        self._window = asyncio.Event()
        self.http.initiate_connection()
        self._flush()

    async def events(self) -> list[Event] | None:
        """Return the next events, or None once the peer has closed."""
        try:
            data = await self._reader.read(65536)
            events: list[Event] = self.http.receive_data(data) if data else []
        except (OSError, ProtocolError):
            return None
        for event in events:
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if isinstance(event, WindowUpdated):
                self._window.set()
        self._flush()
        return events if data else None

    async def send(self, stream: int, message: _Message) -> None:
        """Send headers, body and trailers. A stream that the peer has reset is ignored."""
        with contextlib.suppress(ProtocolError):
            alone = not message.body and message.trailers is None
            self.http.send_headers(stream, message.headers, end_stream=alone)
            await self._send_body(stream, message)
            if message.trailers is not None:
                self.http.send_headers(stream, message.trailers, end_stream=True)
            self._flush()

    async def _send_body(self, stream: int, message: _Message) -> None:
        rest = bytes(message.body)
        while rest:
            size = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)
            part, rest = rest[:size], rest[size:]
            if part:
                self.http.send_data(stream, part, end_stream=not rest and message.trailers is None)
            self._flush()
            if rest and not size:
                self._window.clear()
                await self._window.wait()

    def _flush(self) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(self.http.data_to_send())


class _Bridge:
    """One connection of the operator, with one of its own to Temporal. Breaking one breaks the other."""

    def __init__(self, faults: Faults, down: _Side, up: _Side) -> None:
        self._faults, self._down, self._up = faults, down, up
        self._requests: dict[int, _Message] = {}
        self._replies: dict[int, tuple[_Message, asyncio.Future[_Message]]] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Pass calls on until either side closes."""
        pumps = [asyncio.create_task(pump) for pump in (self._pump_down(), self._pump_up())]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        tasks = [*pumps, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def cut(self) -> None:
        """Break both connections."""
        for side in (self._down, self._up):
            side.writer.transport.abort()

    def garbage(self) -> None:
        """Send random bytes to the operator, then break both connections."""
        self._down.writer.write(GARBAGE)
        self._down.writer.close()
        self._up.writer.transport.abort()

    def refusal(self, code: int) -> _Message:
        """Return a reply with only a gRPC status."""
        status = [(b":status", b"200"), (b"content-type", b"application/grpc"), (b"grpc-status", str(code).encode())]
        return _Message([*status, (b"grpc-message", b"refused by the fault proxy")])

    async def _pump_down(self) -> None:
        while (events := await self._down.events()) is not None:
            for event in events:
                self._request(event)

    async def _pump_up(self) -> None:
        while (events := await self._up.events()) is not None:
            for event in events:
                if isinstance(event, ConnectionTerminated):
                    return
                self._reply(event)

    def _request(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._requests[event.stream_id] = _Message(list(event.headers))
            case DataReceived() if event.stream_id in self._requests:
                self._requests[event.stream_id].body += event.data
            case StreamEnded() if message := self._requests.pop(event.stream_id, None):
                self._tasks[event.stream_id] = asyncio.create_task(self._pass(event.stream_id, message))
            case StreamReset() if task := self._tasks.pop(event.stream_id, None):
                task.cancel()

    async def _pass(self, stream: int, request: _Message) -> None:
        reply = await carry(self._faults, call_of(request.headers, request.body), self, lambda: self._ask(request))
        if reply is not None:
            await self._down.send(stream, reply)
        self._tasks.pop(stream, None)

    async def _ask(self, request: _Message) -> _Message:
        stream = self._up.http.get_next_available_stream_id()
        reply: asyncio.Future[_Message] = asyncio.get_running_loop().create_future()
        self._replies[stream] = _Message([]), reply
        await self._up.send(stream, request)
        return await reply

    def _reply(self, event: Event) -> None:
        message, reply = self._replies.get(getattr(event, "stream_id", None) or 0, (None, None))
        if message is None or reply is None:
            return
        match event:
            case ResponseReceived():
                message.headers = list(event.headers)
            case DataReceived():
                message.body += event.data
            case TrailersReceived():
                message.trailers = list(event.headers)
            case StreamEnded() | StreamReset():
                del self._replies[event.stream_id]
                if not reply.done():
                    reply.set_result(message)
            case _:
                pass


def call_of(headers: Headers, body: bytes | bytearray) -> Call:
    """Return a request's RPC and workflow ID."""
    method = dict(headers)[b":path"].decode().rsplit("/", 1)[-1]
    kind = getattr(service, f"{method}Request", None)
    if kind is None:
        return Call(method)
    content = bytes(body[PREFIX:])
    request = kind.FromString(gzip.decompress(content) if body[0] else content)
    target = getattr(request, "execution", None) or getattr(request, "workflow_execution", None)
    return Call(method, target.workflow_id if target else "")
