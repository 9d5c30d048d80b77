"""Lists and watches of collections. A watch that breaks or goes silent is started again."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from execution_operator.kube.client import Api, ApiError, Json
from execution_operator.runtime.backoff import WATCH_BACKOFF
from execution_operator.telemetry.metrics import WATCH_FAILURES

logger = logging.getLogger(__name__)

PAGE_SIZE = 500
"""Number of objects in one page of a list."""

IDLE_TIMEOUT_SECONDS = 90.0
"""How long a watch may bring no line before it counts as dead. The API server sends a bookmark every minute."""

MAX_FAILURES_BEFORE_RELIST = 3
"""Failures in a row after which the collection is listed again, whatever the errors were."""

MIN_WATCH_SECONDS = 1.0
"""A watch that ends sooner without a single event counts as failed. Otherwise it would be restarted without a delay.

A watch that has brought events restarts at once: the API server ends watches that fall behind a burst of changes.
"""


@dataclass(frozen=True)
class Selection:
    """A collection, or a part of it.

    Attributes:
        path: Path of the collection.
        selectors: Query parameters: fieldSelector, labelSelector, shardSelector.
    """

    path: str
    selectors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A change of one object.

    Attributes:
        object: The object as it is now, or as it was when it was deleted or stopped matching the selection.
        deleted: Whether the object was deleted or stopped matching the selection.
        event: The type of the event in the watch: ADDED, MODIFIED or DELETED; LISTED for an object in a list.
    """

    object: Json
    deleted: bool = False
    event: str = "LISTED"


async def list_objects(api: Api, selection: Selection) -> AsyncIterator[Json]:
    """Yield the objects of a selection, page by page.

    If the list takes so long that its resource version expires, the later pages are from a newer version.

    Raises:
        ApiError: The list was refused, or there was no answer.
    """
    position = ""
    while True:
        try:
            async for page in _pages(api, selection, position):
                for item in page["items"]:
                    yield item
        except ApiError as error:
            if error.status != HTTPStatus.GONE or not error.resume:
                raise
            position = error.resume
        else:
            return


async def _pages(api: Api, selection: Selection, position: str = "", delay_seconds: float = 0) -> AsyncIterator[Json]:
    """Yield the pages of a list from a position on; without one, from the beginning."""
    while True:
        query = {"limit": str(PAGE_SIZE), **({"continue": position} if position else {})}
        page = await api.get(selection.path, **query, **selection.selectors)
        yield page
        if not (position := page["metadata"].get("continue", "")):
            return
        await asyncio.sleep(delay_seconds)


class Watch:
    """A list followed by a watch, repeated for ever.

    A watch that breaks is started again from the last resource version. The collection is listed again if that version
    has expired, or after MAX_FAILURES_BEFORE_RELIST failures in a row.

    Args:
        api: The API server.
        selection: What to list and watch.
        on_change: Called for each object in a list and for each change.
        on_listed: Called after each complete list, with the UIDs of its objects.
        page_delay_seconds: The pause between two pages of a list, for lists that may take their time.
        on_list_start: Called before each list.

    Attributes:
        listed: Whether a list has been completed.
    """

    def __init__(  # noqa: PLR0913 - one argument for each callback
        self,
        api: Api,
        selection: Selection,
        on_change: Callable[[Change], None],
        on_listed: Callable[[set[str]], None] = lambda _: None,
        *,
        page_delay_seconds: float = 0,
        on_list_start: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._selection = selection
        self._on_change = on_change
        self._on_listed = on_listed
        self._page_delay_seconds = page_delay_seconds
        self._on_list_start = on_list_start
        self._failures = 0
        self._version = ""
        self.listed = False
        self._last_answer_at = time.monotonic()

    @property
    def seconds_since_last_event(self) -> float:
        """Seconds since the last line or page from the API server."""
        return time.monotonic() - self._last_answer_at

    async def run(self) -> None:
        """List and watch until cancelled."""
        while True:
            try:
                if not self._version:
                    self._version = await self._list()
                await self._follow()
            except ApiError as error:
                await self._back_off(error)

    async def _back_off(self, error: ApiError) -> None:
        """Wait before the next attempt, and decide whether it begins with a list."""
        delay = WATCH_BACKOFF.delay(self._failures)
        self._failures += 1
        WATCH_FAILURES.labels(self._selection.path.rpartition("/")[2]).inc()
        if error.status == HTTPStatus.GONE or self._failures >= MAX_FAILURES_BEFORE_RELIST:
            self._version = ""
        logger.warning("watch of %s: %s; retrying in %.1f seconds", self._selection.path, error, delay)
        await asyncio.sleep(delay)

    async def _list(self) -> str:
        """Report all objects of the collection; return the resource version to watch from."""
        uids: set[str] = set()
        version = ""
        self._on_list_start()
        async for page in _pages(self._api, self._selection, delay_seconds=self._page_delay_seconds):
            self._last_answer_at = time.monotonic()
            version = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                uids.add(item["metadata"]["uid"])
                self._on_change(Change(item))
        self._on_listed(uids)
        self.listed = True
        return version

    async def _follow(self) -> None:
        """Watch from the last resource version until the API server ends the watch.

        Raises:
            ApiError: The watch failed, or it ended at once without an event.
        """
        start, version = time.monotonic(), self._version
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            **self._selection.selectors,
        }
        async for event in self._api.read_lines(self._selection.path, IDLE_TIMEOUT_SECONDS, **query):
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 0), event["object"].get("message", "the watch failed"))
            self._failures, self._last_answer_at = 0, time.monotonic()
            self._version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._on_change(Change(event["object"], event["type"] == "DELETED", event["type"]))
        if self._version == version and time.monotonic() - start < MIN_WATCH_SECONDS:
            raise ApiError(0, "the watch ended at once, without an event")
