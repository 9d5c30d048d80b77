"""A list and a watch that never end: errors and silence lead to a new watch, expired versions to a new list."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from execution_operator.kube.client import Api, ApiError, Json
from execution_operator.runtime.backoff import WATCH_BACKOFF
from execution_operator.telemetry.metrics import WATCH_FAILURES

logger = logging.getLogger(__name__)

PAGE = "500"
"""Objects in one answer to a list."""

IDLE_TIMEOUT_SECONDS = 90.0
"""Seconds without a line (bookmarks come each minute) after which a watch counts as dead."""

EXPIRED, PATIENCE = 410, 3
"""HTTP status of a version that is too old; failures in a row after which any version counts as such."""

BRIEF = 1.0
"""Seconds that a watch lasts at least which brings nothing. One that ends sooner counts as failed, or it would be asked
for without end. The API server ends those soon that fall behind a burst, and they go on where they were.
"""


@dataclass(frozen=True)
class Selection:
    """A collection, or a part of it.

    Attributes:
        path: Of the collection.
        selectors: fieldSelector, labelSelector, shardSelector.
    """

    path: str
    selectors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """One object as it is now, or as it was when it left the selection.

    Attributes:
        event: What the watch calls it: ADDED, MODIFIED, DELETED; or LISTED.
    """

    object: Json
    deleted: bool = False
    event: str = "LISTED"


async def list_objects(api: Api, selection: Selection) -> AsyncIterator[Json]:
    """Yield the objects of a selection, page by page. Who takes long gets the later pages as they are by then."""
    more = ""
    while True:
        try:
            async for page in _pages(api, selection, more):
                for item in page["items"]:
                    yield item
        except ApiError as error:
            if error.status != EXPIRED or not error.resume:
                raise
            more = error.resume
        else:
            return


async def _pages(api: Api, selection: Selection, more: str = "", pause: float = 0) -> AsyncIterator[Json]:
    while True:
        position = {"limit": PAGE, **({"continue": more} if more else {})}
        page = await api.get(selection.path, **position, **selection.selectors)
        yield page
        if not (more := page["metadata"].get("continue", "")):
            return
        await asyncio.sleep(pause)


class Watch:
    """Follows a collection for ever.

    Args:
        api: The connection.
        selection: What to follow.
        changed: Called for each change, those of the first list included.
        listed: Called after each complete list, with the UIDs that it held.
        pause: Seconds between two pages of a list that nobody waits for.
        begun: Called before each list.

    Attributes:
        listed: Whether a list has been complete.
    """

    def __init__(  # noqa: PLR0913 - one for each thing that a follower may want
        self,
        api: Api,
        selection: Selection,
        changed: Callable[[Change], None],
        listed: Callable[[set[str]], None] = lambda _: None,
        *,
        pause: float = 0,
        begun: Callable[[], None] = lambda: None,
    ) -> None:
        self._api = api
        self._selection = selection
        self._changed = changed
        self._listed = listed
        self._pause = pause
        self._begun = begun
        self._failures = 0
        self._version = ""
        self.listed = False
        self._heard = time.monotonic()

    @property
    def silence(self) -> float:
        """Seconds since the API server was last heard of."""
        return time.monotonic() - self._heard

    async def run(self) -> None:
        """List and watch, until cancelled. A watch that broke goes on where it was, unless it can't."""
        while True:
            try:
                if not self._version:
                    self._version = await self._list()
                await self._follow()
            except ApiError as error:
                pause = WATCH_BACKOFF.delay(self._failures)
                self._failures += 1
                WATCH_FAILURES.labels(self._selection.path.rpartition("/")[2]).inc()
                if error.status == EXPIRED or self._failures >= PATIENCE:
                    self._version = ""
                logger.warning("watch of %s: %s; again in %.1f s", self._selection.path, error, pause)
                await asyncio.sleep(pause)

    async def _list(self) -> str:
        uids: set[str] = set()
        version = ""
        self._begun()
        async for page in _pages(self._api, self._selection, pause=self._pause):
            self._heard = time.monotonic()
            version = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                uids.add(item["metadata"]["uid"])
                self._changed(Change(item))
        self._listed(uids)
        self.listed = True
        return version

    async def _follow(self) -> None:
        """Watch until the server ends it."""
        start, version = time.monotonic(), self._version
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            **self._selection.selectors,
        }
        async for event in self._api.read_lines(self._selection.path, IDLE_TIMEOUT_SECONDS, **query):
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 0), event["object"].get("message", "watch failed"))
            self._failures, self._heard = 0, time.monotonic()
            self._version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._changed(Change(event["object"], event["type"] == "DELETED", event["type"]))
        if self._version == version and time.monotonic() - start < BRIEF:
            raise ApiError(0, "the watch ended at once")
