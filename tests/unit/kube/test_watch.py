"""Lists whose version expires, and watches that end early."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

import pytest
from aiohttp import ClientResponse

from execution_operator.kube.client import Api, ApiError, Json, error_of_answer
from execution_operator.kube.watch import IDLE_TIMEOUT_SECONDS, Change, Selection, Watch, list_objects
from tests.support.clock import run


@dataclass
class PagesApi(Api):
    """An API server with three pages. The version of the list expires before the second page is read."""

    resume: str = "from-b"
    asked: list[str] = field(default_factory=list)

    async def get(self, path: str, **query: str) -> Json:
        assert path == "/executions"
        more = query.get("continue", "")
        self.asked.append(more)
        match more:
            case "":
                return {"items": [{"name": "a"}], "metadata": {"continue": "old-b"}}
            case "old-b":
                raise ApiError(HTTPStatus.GONE, "the provided continue parameter is too old", self.resume)
            case "from-b":
                return {"items": [{"name": "b"}], "metadata": {"continue": "c"}}
            case _:
                return {"items": [{"name": "c"}], "metadata": {}}


async def names(pages: PagesApi) -> list[str]:
    return [item["name"] async for item in list_objects(pages, Selection("/executions"))]


def test_a_list_continues_after_its_version_has_expired() -> None:
    pages = PagesApi()
    assert asyncio.run(names(pages)) == ["a", "b", "c"]
    assert pages.asked == ["", "old-b", "from-b", "c"]


def test_a_list_that_can_not_continue_fails() -> None:
    with pytest.raises(ApiError, match="too old"):
        asyncio.run(names(PagesApi(resume="")))


class ShortWatchesApi(Api):
    """An API server whose watches end at once, each after one change as long as there are changes."""

    def __init__(self, changes: int) -> None:
        self.changes = changes
        self.asked: list[str] = []

    async def get(self, path: str, **_: str) -> Json:
        assert path == "/executions"
        return {"items": [], "metadata": {"resourceVersion": self.asked[-1] if self.asked else "1"}}

    async def read_lines(self, path: str, idle_timeout_seconds: float, **query: str) -> AsyncIterator[Json]:
        assert (path, idle_timeout_seconds) == ("/executions", IDLE_TIMEOUT_SECONDS)
        self.asked.append(query["resourceVersion"])
        version = int(query["resourceVersion"]) + 1
        if version <= self.changes + 1:
            yield {"type": "ADDED", "object": {"metadata": {"resourceVersion": str(version)}}}


def test_a_watch_restarts_at_once_after_an_event_and_with_a_delay_if_it_brought_none(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api, seen, seconds = ShortWatchesApi(changes=100), list[Change](), list[float]()

    async def main() -> None:
        def changed(change: Change) -> None:
            seen.append(change)
            seconds.append(asyncio.get_running_loop().time())

        with suppress(TimeoutError):
            async with asyncio.timeout(100):
                await Watch(api, Selection("/executions"), changed).run()

    caplog.set_level(logging.WARNING)
    run(main())
    assert (len(seen), seconds[-1] - seconds[0]) == (100, 0)
    assert api.asked[:101] == [str(version) for version in range(1, 102)]
    assert 5 < len(api.asked) - 100 < 25  # the delay grows up to ten seconds
    assert {record.message.partition(";")[0] for record in caplog.records} == {
        "watch of /executions: the watch ended at once, without an event"
    }


class ErrorPage:
    """An error page of a proxy that is not UTF-8."""

    status, reason = 502, "Bad Gateway"

    async def text(self, errors: str = "strict") -> str:
        return "nicht verfügbar".encode("latin-1").decode(errors=errors)


def test_an_error_page_in_any_encoding_is_an_error() -> None:
    refusal = asyncio.run(error_of_answer(cast("ClientResponse", ErrorPage())))
    assert (refusal.status, refusal.message) == (502, "nicht verf�gbar")
