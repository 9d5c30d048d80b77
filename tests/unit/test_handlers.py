"""kopf's part: that its thread is alive."""

import asyncio
import threading
from typing import Any

import kopf
import pytest

from execution_operator.handlers import Requests
from execution_operator.kube.config import Login


async def places() -> list[str]:
    return [""]


async def login() -> Login:
    raise NotImplementedError


def requests() -> Requests:
    return Requests({"fieldSelector": "a=b"}, places, login, lambda _: None, lambda _: None)


async def test_without_kopf_nothing_is_owed() -> None:
    stream = requests()
    assert [stream.standstill() for _ in range(3)] == [0.0, 0.0, 0.0]


async def test_a_loop_of_kopf_that_stands_still_owes_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert stream.standstill() == 0.0
        first, second = stream.standstill(), stream.standstill()
        assert 0 < first < second
        going.set()
        async with asyncio.timeout(10):
            while stream.standstill() > 0:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
        assert stream.silence > 0
    finally:
        going.set()
        stream.stop()
        await task
