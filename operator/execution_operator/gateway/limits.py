"""What a call must be before anything is done for it: with a token, small, soon complete, and not one too many."""

import asyncio
import hashlib
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BEARER = re.compile(r"bearer +([A-Za-z0-9\-._~+/]+=*) *", re.IGNORECASE)
"""RFC 6750. Anything else is no token, and nothing that a header could be smuggled in with."""

CALLERS = 10_000
"""Callers that are remembered. Who has been silent for longest is forgotten first, with an empty account."""


@dataclass(frozen=True)
class Limits:
    """How much a caller may ask for.

    Attributes:
        rate: Terminations a second.
        burst: Terminations at once.
        body: Bytes in a request.
        arrival: Seconds in which a request must have arrived.
    """

    rate: float = 100.0
    burst: int = 1000
    body: int = 1 << 20
    arrival: float = 10.0


class TokenBuckets:
    """A token bucket for each caller, known by the digest of its token."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._spent: OrderedDict[bytes, tuple[float, float]] = OrderedDict()

    def charge(self, token: str, cost: int = 1) -> int:
        """Take the cost from the caller's account; return 0, or the seconds after which it would suffice."""
        key, now = hashlib.sha256(token.encode()).digest(), self._clock()
        spent, since = self._spent.pop(key, (0.0, now))
        spent = max(0.0, spent - (now - since) * self._limits.rate)
        over = spent + cost - self._limits.burst
        self._spent[key] = (spent if over > 0 else spent + cost, now)
        if len(self._spent) > CALLERS:
            self._spent.popitem(last=False)
        return ceil(over / self._limits.rate) if over > 0 else 0


def token_of(headers: Headers) -> str | None:
    """Return the Bearer token of a request."""
    match = BEARER.fullmatch(headers.get("authorization", ""))
    return match[1] if match else None


class LimitsMiddleware:
    """The ASGI middleware in front of the API. Bodies are read here, bounded in size and time."""

    def __init__(self, app: ASGIApp, limits: Limits, accounts: TokenBuckets) -> None:
        self._app = app
        self._limits = limits
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may pass."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        token = token_of(Headers(scope=scope))
        if token is None:
            await refuse(send, 401, "Not authenticated", {"www-authenticate": "Bearer"})
        elif after := self._accounts.charge(token):
            await refuse(send, 429, "Too many requests", {"retry-after": str(after)})
        else:
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._limits.arrival):
                body = await self._read(receive)
        except TimeoutError:
            await refuse(send, 408, "The request took too long to arrive", {"connection": "close"})
            return
        if body is None:
            await refuse(send, 413, f"The request is larger than {self._limits.body} bytes", {"connection": "close"})
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """Read the whole body; None if it is too large."""
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

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


async def refuse(send: Send, status: int, detail: str, headers: dict[str, str]) -> None:
    """Answer without asking anybody."""
    body = json.dumps({"detail": detail}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    raw = [(name.encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
