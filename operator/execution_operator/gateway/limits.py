"""Limits that are checked before a call is processed: token, rate, size and time of arrival."""

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)
"""A Bearer token by RFC 6750. Other characters are refused, so that no header can be smuggled in with a token."""

MAX_CALLERS = 10_000
"""Maximum number of token buckets. The least recently used is evicted; an evicted caller starts with a full burst."""


@dataclass(frozen=True)
class Limits:
    """The limits for each caller.

    Attributes:
        rate: Terminations a second.
        burst: Terminations at once.
        body: Maximum size of a request body, in bytes.
        arrival: Seconds in which a request body must arrive.
    """

    rate: float = 100.0
    burst: int = 1000
    body: int = 1 << 20
    arrival: float = 10.0


class TokenBuckets:
    """A token bucket for each caller. The key is the digest of the caller's token."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._spent: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def charge(self, token: str, cost: int = 1) -> int:
        """Charge a caller. Return 0, or the seconds after which the charge would be accepted."""
        key, now = hashlib.sha256(token.encode()).digest(), self._clock()
        spent, since = self._spent.pop(key, (0.0, now))
        spent = max(0.0, spent - (now - since) * self._limits.rate)
        over = spent + cost - self._limits.burst
        self._spent[key] = (spent if over > 0 else spent + cost, now)
        if len(self._spent) > MAX_CALLERS:
            self._spent.popitem(last=False)
        return ceil(over / self._limits.rate) if over > 0 else 0


def token_of(headers: Headers) -> str | None:
    """Return the Bearer token of a request; None where there is none."""
    match = BEARER.fullmatch(headers.get("authorization", ""))
    return match[1] if match else None


class LimitsMiddleware:
    """ASGI middleware that enforces the limits. It reads the whole body before it calls the application."""

    def __init__(self, app: ASGIApp, limits: Limits, buckets: TokenBuckets) -> None:
        self._app = app
        self._limits = limits
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the limits, and call the application."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        token = token_of(Headers(scope=scope))
        if token is None:
            await refuse(send, HTTPStatus.UNAUTHORIZED, "Not authenticated", {"www-authenticate": "Bearer"})
        elif after := self._buckets.charge(token):
            await refuse(send, HTTPStatus.TOO_MANY_REQUESTS, "Too many requests", {"retry-after": str(after)})
        else:
            await self._call_app(scope, receive, send)

    async def _call_app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._limits.arrival):
                body = await self._read(receive)
        except TimeoutError:
            await refuse(
                send, HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive", {"connection": "close"}
            )
            return
        if body is None:
            await refuse(
                send,
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"The request is larger than {self._limits.body} bytes",
                {"connection": "close"},
            )
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """Return the whole body; None where it is too large."""
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._limits.body:
                return None
            if not message.get("more_body"):
                return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


async def refuse(send: Send, status: int, detail: str, headers: dict[str, str]) -> None:
    """Send an error response."""
    body = json.dumps({"detail": detail}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": int(status), "headers": raw})
    await send({"type": "http.response.body", "body": body})
