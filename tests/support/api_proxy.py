"""A fault proxy in front of the API server. It terminates TLS and names the operator's requests."""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.faults import Call, Fault, Faults, carry
from tests.support.proxy import GARBAGE, Proxy

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "host", "content-length"}
EXPIRED = {
    "type": "ERROR",
    "object": {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "too old resource version: 1 (2)",
        "reason": "Expired",
        "code": 410,
    },
}


class ApiProxy(Proxy):
    """Passes requests on to the API server, and causes the faults of the rules.

    Args:
        upstream: URL of the API server.
        authority: Its authority's certificate.
        certificate: Certificate and key to serve with.
        faults: What to do to which request.
    """

    def __init__(self, upstream: str, authority: Path, certificate: tuple[Path, Path], faults: Faults) -> None:
        super().__init__(faults)
        self._upstream = upstream
        self._trust = ssl.create_default_context(cafile=authority)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(*certificate)
        self._transports: set[asyncio.BaseTransport] = set()

    @property
    def url(self) -> str:
        """The proxy's address."""
        return f"https://127.0.0.1:{self.port}"

    async def _open(self) -> None:
        connector = aiohttp.TCPConnector(ssl=self._trust, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        self._server = web.Server(self._handle, handler_cancellation=True)
        self._listener = await asyncio.get_running_loop().create_server(
            self._server, "127.0.0.1", self.port, ssl=self._tls
        )

    async def _close(self) -> None:
        self._listener.close()
        await self._break()
        await self._session.close()

    async def _break(self) -> None:
        for transport in tuple(self._transports):
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        line = _HttpLine(request)
        self._transports.add(line.transport)
        try:
            body = await request.read()
            call = call_of(request, body)
            answer = await carry(self.faults, call, line, lambda: self._ask(request, body))
            return await self._answer(request, answer) if answer else _nothing()
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            line.cut()  # the API server is down, or the caller has gone
            return _nothing()
        finally:
            self._transports.discard(line.transport)

    async def _ask(self, request: web.BaseRequest, body: bytes) -> "_Answer":
        if _is_watch(request) and _wants_expiry(self.faults, request):
            return _Answer(200, {"Content-Type": "application/json"}, json.dumps(EXPIRED).encode() + b"\n")
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
        response = await self._session.request(
            request.method,
            self._upstream + request.raw_path,
            headers=headers,
            data=body or None,
            timeout=aiohttp.ClientTimeout(total=None),
        )
        answer = _Answer(response.status, _passed(response), stream=response)
        if not _is_watch(request):
            answer.body, answer.stream = await response.read(), None
        return answer

    async def _answer(self, request: web.BaseRequest, answer: "_Answer") -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        if answer.stream is None:
            response.content_length = len(answer.body)
        await response.prepare(request)
        if answer.stream is None:
            await response.write(answer.body)
        else:
            async for chunk in _chunks(answer.stream):
                await response.write(chunk)
        await response.write_eof()
        return response


@dataclass
class _Answer:
    """A reply. The reply of a watch continues."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    stream: aiohttp.ClientResponse | None = None


@dataclass
class _HttpLine:
    """The caller's connection."""

    request: web.BaseRequest
    transport: asyncio.Transport = field(init=False)

    def __post_init__(self) -> None:
        transport = self.request.transport
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def cut(self) -> None:
        """Break the connection."""
        self.transport.abort()

    def garbage(self) -> None:
        """Send random bytes, then break the connection."""
        self.transport.write(GARBAGE)
        self.transport.close()

    def refusal(self, code: int) -> _Answer:
        """Return a metav1.Status with this code."""
        refused = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "metadata": {}}
        body = json.dumps({**refused, "message": "refused by the fault proxy"}).encode()
        return _Answer(code, {"Content-Type": "application/json", "Retry-After": "1"}, body)


def call_of(request: web.BaseRequest, body: bytes) -> Call:
    """Return the purpose of a request, and the Execution that it concerns."""
    parts = request.path.strip("/").split("/")
    if request.method == "POST" and parts[-1] == "events":
        return Call("create event", json.loads(body)["involvedObject"]["name"])
    if request.method == "PATCH" and "executions" in parts:
        return Call(_purpose(json.loads(body)), parts[parts.index("executions") + 1])
    verb = "watch" if _is_watch(request) else request.method.lower()
    return Call(f"{verb} {_resource(parts)}")


def _resource(parts: list[str]) -> str:
    known = ("executions", "organizations", "secrets")
    return next((part for part in parts if part in known), "/".join(parts))


def _purpose(patch: dict[str, Any]) -> str:
    """Return the purpose of a status write."""
    if "status" not in patch:
        return "write finalizers"
    termination = patch["status"].get("termination") or {}
    if termination.get("outcome"):
        return "record status"
    if termination.get("deadline"):
        return "record grace period"
    return "pin status" if patch["status"].get("runId") else "write status"


def _is_watch(request: web.BaseRequest) -> bool:
    return request.query.get("watch") in ("true", "1")


def _wants_expiry(faults: Faults, request: web.BaseRequest) -> bool:
    rule = faults.rule_for(Call("expire watch", request.query.get("fieldSelector", "")))
    if rule is None or rule.fault is not Fault.EXPIRED:
        return False
    rule.fired.set()
    return True


def _passed(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.lower() not in HOP_BY_HOP}


async def _chunks(stream: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    with contextlib.closing(stream):
        async for chunk in stream.content.iter_any():
            yield chunk


def _nothing() -> web.StreamResponse:
    """Return what aiohttp wants of a handler whose connection is broken already."""
    return web.Response(status=502)
