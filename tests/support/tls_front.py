"""A TLS endpoint in front of a real Temporal server, as hosted Temporal has one.

It asks for a client certificate, for an API key, for both or for neither; both can be switched while it runs. It
notes who called what on which connection, so that a test can prove which credential was used.
"""

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.server import Server
from tests.support.tls_stream import Plain, Tls

T = TypeVar("T")
UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED = "16", "7", "8"
Headers = list[tuple[bytes, bytes]]


class LapsedAuthority(Authority):
    """Issues certificates that expired an hour ago. Its own has not."""

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *extensions: x509.ExtensionType
    ) -> x509.Certificate:
        valid = super()._sign(subject, key, *extensions)
        if subject == self._name:
            return valid
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(self._name, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=2)).not_valid_after(now - dt.timedelta(hours=1))
        for extension in valid.extensions:
            builder = builder.add_extension(extension.value, critical=extension.critical)
        return builder.sign(self._key, hashes.SHA256())


@dataclass(frozen=True)
class Request:
    """One gRPC request: its credentials, its connection, and whether it was accepted."""

    certificate: str
    key: str
    connection: int
    method: str
    namespace: str
    accepted: bool


@dataclass
class _Stream:
    """A request as it comes in: whole before it is passed on, since all that we proxy is unary."""

    headers: Headers
    body: bytearray = field(default_factory=bytearray)


class TlsFront(Server):
    """Speaks HTTP/2 over TLS with callers, and HTTP/2 without with Temporal.

    Args:
        upstream: host:port of Temporal.
        authority: Issues the front's own certificate, on the name `localhost` and the loopback address.
    """

    def __init__(self, upstream: str, authority: Authority) -> None:
        self._upstream = upstream
        self._certificate = authority.issue_server("tls-front")
        self._port = free_port()
        self.requests: list[Request] = []
        self.connected: Counter[str] = Counter()
        self.open: Counter[str] = Counter()
        self._authorities: tuple[Authority, ...] = ()
        self._verify = ssl.CERT_NONE
        self._keys: frozenset[str] | None = None
        self._says = "no such key"
        self._refused: dict[str, tuple[str, str]] = {}
        self._gates: dict[str, asyncio.Event] = {}
        self._held: Counter[str] = Counter()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listener: asyncio.Server | None = None
        self._bridges: set[_Bridge] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.turned_away = 0
        self._away = False

    @property
    def address(self) -> str:
        """Host and port, by number."""
        return f"127.0.0.1:{self._port}"

    @property
    def named_address(self) -> str:
        """The same by name: for those who compare addresses, another."""
        return f"localhost:{self._port}"

    def start(self) -> None:
        """Listen."""
        self._socket = socket.create_server(("127.0.0.1", self._port))
        self._thread.start()
        self._do(self._listen())

    def stop(self) -> None:
        """Close all connections and end the thread."""
        if self._thread.is_alive():
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def require_certificate(self, *authorities: Authority) -> None:
        """Accept only new connections with a certificate of one of these authorities, or any connection if none."""
        self._authorities, self._verify = authorities, ssl.CERT_REQUIRED if authorities else ssl.CERT_NONE

    def invite_certificate(self, *authorities: Authority) -> None:
        """Ask for a certificate of one of these, and let connections without one in too."""
        self._authorities, self._verify = authorities, ssl.CERT_OPTIONAL

    def require_key(self, *keys: str, refusal: str = "no such key") -> None:
        """Accept only requests with one of these API keys. The refusal message may contain `{key}`."""
        self._keys, self._says = frozenset(keys), refusal

    def require_no_key(self) -> None:
        """Accept requests with any API key."""
        self._keys = None

    @contextlib.contextmanager
    def requiring_key(self, *keys: str) -> Iterator[None]:
        """Accept only requests with one of these API keys during the block."""
        self.require_key(*keys)
        try:
            yield
        finally:
            self.require_no_key()

    def drop(self) -> None:
        """Break all connections, as a server that shuts down."""
        self._do(self._break())

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Refuse connections during the block, as in an outage of Temporal."""
        self._away = True
        self.drop()
        try:
            yield
        finally:
            self._away = False

    @contextlib.contextmanager
    def refusing(self, method: str, status: str, words: str) -> Iterator[None]:
        """Answer requests of a method with this gRPC status during the block; Temporal does not see them."""
        self._refused[method] = status, words
        try:
            yield
        finally:
            del self._refused[method]

    @contextlib.contextmanager
    def holding(self, method: str) -> Iterator[Callable[[], int]]:
        """Hold requests of a method during the block. Yields a function that counts the held requests."""
        self._gates[method] = asyncio.Event()
        self._held[method] = 0
        try:
            yield lambda: self._held[method]
        finally:
            self._loop.call_soon_threadsafe(self._gates.pop(method).set)

    def calls(self, method: str = "", **of: object) -> list[Request]:
        """Return the requests so far, of one method, with these attributes."""
        return [
            request
            for request in list(self.requests)
            if request.method.startswith(method) and all(getattr(request, name) == value for name, value in of.items())
        ]

    def _do(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _context(self) -> ssl.SSLContext:
        """Return what is asked of callers now."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._certificate)
        context.set_alpn_protocols(["h2"])
        context.verify_mode = self._verify
        for authority in self._authorities:
            context.load_verify_locations(authority.certificate)
        return context

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._serve, sock=self._socket)

    async def _break(self) -> None:
        for bridge in tuple(self._bridges):
            bridge.close()

    async def _close(self) -> None:
        if self._listener:
            self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(task := asyncio.create_task(self._accept(Tls(reader, writer, self._context()))))
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, caller: Tls) -> None:
        if self._away:
            caller.close()
            return
        try:
            certificate = _common_name(await caller.shake_hands())
        except (ssl.SSLError, OSError):
            self.turned_away += 1
            caller.close()
            return
        self.connected[certificate] += 1
        self.open[certificate] += 1
        bridge = _Bridge(self, certificate, sum(self.connected.values()), caller)
        self._bridges.add(bridge)
        try:
            await bridge.run(self._upstream)
        finally:
            self._bridges.discard(bridge)
            self.open[certificate] -= 1

    async def admit(self, certificate: str, connection: int, headers: Headers) -> tuple[str, str] | None:
        """Note a request, and return status and words if it is refused; hold it as long as its method is held."""
        fields = dict(headers)
        key = fields.get(b"authorization", b"").decode().removeprefix("Bearer ")
        method = fields[b":path"].decode().rsplit("/", 1)[-1]
        accepted = self._keys is None or key in self._keys
        namespace = fields.get(b"temporal-namespace", b"").decode()
        self.requests.append(Request(certificate, key, connection, method, namespace, accepted))
        if not accepted:
            return UNAUTHENTICATED, self._says.format(key=key)
        if method in self._refused:
            return self._refused[method]
        if gate := self._gates.get(method):
            self._held[method] += 1
            await gate.wait()
        return None


class _Side:
    """One of the two HTTP/2 connections: what is sent waits for the peer's window."""

    def __init__(self, peer: Plain, *, client: bool) -> None:
        self.http = H2Connection(H2Configuration(client_side=client, header_encoding=None))
        self._peer = peer
        self._waiting: defaultdict[int, deque[tuple[Headers | bytes, bool]]] = defaultdict(deque)
        self.http.initiate_connection()
        self.flush()

    async def events(self) -> list[Event]:
        """Return what comes next; nothing once the peer has closed."""
        data = await self._peer.read()
        if not data:
            return []
        events: list[Event] = self.http.receive_data(data)
        for event in events:
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                self.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events or [Event()]

    def send(self, stream: int, part: Headers | bytes, *, end: bool) -> None:
        """Send headers or data, after what waits before them."""
        self._waiting[stream].append((part, end))
        self.flush()

    def reset(self, stream: int) -> None:
        """End a stream at once."""
        self._waiting.pop(stream, None)
        with contextlib.suppress(ProtocolError):
            self.http.reset_stream(stream)
        self.flush()

    def flush(self) -> None:
        for stream in list(self._waiting):
            self._flush_stream(stream)
        self._peer.write(self.http.data_to_send())

    def _flush_stream(self, stream: int) -> None:
        parts = self._waiting[stream]
        while parts:
            part, end = parts.popleft()
            if isinstance(part, list):
                self.http.send_headers(stream, part, end_stream=end)
                continue
            window = min(self.http.local_flow_control_window(stream), self.http.max_outbound_frame_size)
            self.http.send_data(stream, part[:window], end_stream=end and len(part) <= window)
            if len(part) > window:
                parts.appendleft((part[window:], end))
                if not window:
                    return
        del self._waiting[stream]

    def close(self) -> None:
        """Break the connection."""
        self._peer.close()


class _Bridge:
    """One connection of a caller, with one of its own to Temporal."""

    def __init__(self, front: TlsFront, certificate: str, number: int, caller: Plain) -> None:
        self._front, self._certificate, self._number = front, certificate, number
        self._down = _Side(caller, client=False)
        self._up: _Side | None = None
        self._streams: dict[int, _Stream] = {}
        self._to_up: dict[int, int] = {}
        self._to_down: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, upstream: str) -> None:
        """Pass requests up and answers down until either side closes."""
        host, port = upstream.rsplit(":", 1)
        try:
            self._up = up = _Side(Plain(*await asyncio.open_connection(host, int(port))), client=True)
            pumps = [self._start(self._pump(self._down, self._request)), self._start(self._pump(up, self._answer))]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        except OSError:
            return  # Temporal is down: the caller sees the connection close
        finally:
            self.close()

    def close(self) -> None:
        """Close both connections."""
        for task in self._tasks:
            task.cancel()
        self._down.close()
        if self._up:
            self._up.close()

    def _start(self, part: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        self._tasks.add(task := asyncio.create_task(part))
        task.add_done_callback(self._tasks.discard)
        return task

    @staticmethod
    async def _pump(side: _Side, take: Callable[[Event], None]) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, ProtocolError):  # a peer that is gone, or whose stream is
            while events := await side.events():
                for event in events:
                    take(event)

    def _request(self, event: Event) -> None:
        match event:
            case RequestReceived():
                self._streams[event.stream_id] = _Stream(list(event.headers))
            case DataReceived() if event.stream_id in self._streams:
                self._streams[event.stream_id].body += event.data
            case StreamEnded() if stream := self._streams.pop(event.stream_id, None):
                self._start(self._forward(event.stream_id, stream))
            case StreamReset():
                self._streams.pop(event.stream_id, None)
                if (upper := self._to_up.pop(event.stream_id, None)) and self._up:
                    self._to_down.pop(upper, None)
                    self._up.reset(upper)
            case _:
                return

    async def _forward(self, number: int, stream: _Stream) -> None:
        refusal = await self._front.admit(self._certificate, self._number, stream.headers)
        with contextlib.suppress(ProtocolError):  # the caller may have gone meanwhile
            if refusal is not None:
                self._down.send(number, _trailers_only(*refusal), end=True)
            elif self._up:
                upper = self._up.http.get_next_available_stream_id()
                self._to_up[number], self._to_down[upper] = upper, number
                self._up.send(upper, stream.headers, end=False)
                self._up.send(upper, bytes(stream.body), end=True)

    def _answer(self, event: Event) -> None:
        number = self._to_down.get(getattr(event, "stream_id", 0) or 0)
        if number is None:
            return
        match event:
            case ResponseReceived() | TrailersReceived():
                self._down.send(number, list(event.headers), end=event.stream_ended is not None)
            case DataReceived():
                self._down.send(number, event.data, end=event.stream_ended is not None)
            case StreamReset():
                self._down.reset(number)
            case StreamEnded():
                self._to_up.pop(self._to_down.pop(event.stream_id), None)
            case _:
                return


def _trailers_only(status: str, message: str) -> Headers:
    fields = {":status": "200", "content-type": "application/grpc", "grpc-status": status, "grpc-message": message}
    return [(name.encode(), value.encode()) for name, value in fields.items()]


def _common_name(certificate: bytes | None) -> str:
    if certificate is None:
        return ""
    names = x509.load_der_x509_certificate(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value)


def pem(pair: tuple[Path, Path]) -> tuple[bytes, bytes]:
    """Return certificate and key as a Secret holds them."""
    certificate, key = pair
    return certificate.read_bytes(), key.read_bytes()
