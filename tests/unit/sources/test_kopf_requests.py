"""The request stream: its pings, and the delivery of events."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import kopf
import pytest

from execution_operator.api import Execution
from execution_operator.kube.config import Login
from execution_operator.sources.kopf_requests import RequestStream
from tests.support.builders import execution


async def readable_namespaces() -> list[str]:
    return [""]


async def login() -> Login:
    raise NotImplementedError


def requests(
    changed: Callable[[Execution], None] = lambda _: None, left: Callable[[str, int], None] = lambda *_: None
) -> RequestStream:
    return RequestStream({"fieldSelector": "a=b"}, readable_namespaces, login, changed, left)


async def test_without_kopf_no_ping_is_unanswered() -> None:
    stream = requests()
    assert [stream.unanswered_ping_seconds() for _ in range(3)] == [0.0, 0.0, 0.0]


async def test_a_blocked_event_loop_of_kopf_leaves_a_ping_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    running, going = threading.Event(), threading.Event()

    async def operator(stop_flag: asyncio.Event, **_: Any) -> None:
        running.set()
        going.wait()
        await stop_flag.wait()

    monkeypatch.setattr(kopf, "operator", operator)
    stream = requests()
    task = asyncio.create_task(stream.run())
    await asyncio.to_thread(running.wait)
    try:
        assert stream.unanswered_ping_seconds() == 0.0
        first, second = stream.unanswered_ping_seconds(), stream.unanswered_ping_seconds()
        assert 0 < first < second
        going.set()
        async with asyncio.timeout(10):
            while stream.unanswered_ping_seconds() > 0:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
        assert stream.seconds_since_last_event > 0
    finally:
        going.set()
        stream.stop()
        await task


async def test_events_are_delivered_in_the_operators_thread_and_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def operator(registry: kopf.OperatorRegistry, stop_flag: asyncio.Event, **_: Any) -> None:
        on_event: Any = next(iter(registry._watching.get_all_handlers())).fn  # noqa: SLF001 - kopf has no public way
        for number in range(100):
            body = execution(uid=f"uid-{number}", version=number).model_dump(by_alias=True, exclude_none=True)
            await on_event(event={"type": "DELETED" if number % 2 else "MODIFIED", "object": body})
        await stop_flag.wait()

    delivered: list[tuple[str, str, str, int]] = []

    def note(what: str, uid: str, version: str) -> None:
        delivered.append((what, uid, version, threading.get_ident()))
        if len(delivered) == 1:
            raise RuntimeError("an error for one event does not stop the delivery of the others")

    monkeypatch.setattr(kopf, "operator", operator)
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", lambda _: None)
    stream = requests(
        lambda one: note("changed", one.metadata.uid, one.metadata.resource_version or ""),
        lambda uid, version: note("left", uid, str(version)),
    )
    task = asyncio.create_task(stream.run())
    try:
        async with asyncio.timeout(10):
            while len(delivered) < 100:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)
    finally:
        stream.stop()
        await task
    assert delivered == [(("changed", "left")[n % 2], f"uid-{n}", str(n), threading.get_ident()) for n in range(100)]
