"""A list and a watch that never end: errors, silence and expired versions lead to a new list, after a pause."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from execution_operator.kube.client import Api, ApiError, Json

logger = logging.getLogger(__name__)

PAGE = "500"
"""Objects in one answer to a list."""

SILENCE = 90.0
"""Seconds without a line (bookmarks come each minute) after which a watch counts as dead."""

PAUSES = (0.05, 0.2, 1.0, 3.0, 10.0)
"""Seconds before each new attempt after a failure, jittered; the last one for all further."""

EXPIRED = 410
"""HTTP status of a resourceVersion that is too old."""


@dataclass(frozen=True)
class Change:
    """One object as it is now, or as it was when it left the selection."""

    object: Json
    deleted: bool = False


async def listing(api: Api, path: str, **selectors: str) -> AsyncIterator[Json]:
    """Yield the objects of a collection, page by page."""
    async for page in _pages(api, path, selectors):
        for item in page["items"]:
            yield item


async def _pages(api: Api, path: str, selectors: dict[str, str]) -> AsyncIterator[Json]:
    more = ""
    while True:
        page = await api.get(path, limit=PAGE, **({"continue": more} if more else {}), **selectors)
        yield page
        if not (more := page["metadata"].get("continue", "")):
            return


class Watch:
    """Follows a collection for ever.

    Args:
        api: The connection.
        path: The collection.
        changed: Called for each change, those of the first list included.
        listed: Called after each complete list, with the UIDs that it held.
        backlog: Whether to begin with all that is there. Without, only what changes from now on is told.
        selectors: fieldSelector, labelSelector.
    """

    def __init__(
        self,
        api: Api,
        path: str,
        changed: Callable[[Change], None],
        listed: Callable[[set[str]], None] = lambda _: None,
        *,
        backlog: bool = True,
        **selectors: str,
    ) -> None:
        self._api = api
        self._path = path
        self._changed = changed
        self._listed = listed
        self._backlog = backlog
        self._selectors = selectors

    async def run(self) -> None:
        """List, watch, and begin again, until cancelled."""
        failures = 0
        while True:
            try:
                version = await self._list() if self._backlog else await self._now()
                failures = 0
                while True:
                    version = await self._follow(version)
            except ApiError as error:
                pause = PAUSES[min(failures, len(PAUSES) - 1)] * random.uniform(0.5, 1.5)  # noqa: S311 - jitter
                failures += 1
                logger.warning("watch of %s: %s; again in %.1f s", self._path, error, pause)
                await asyncio.sleep(pause)

    async def _now(self) -> str:
        page = await self._api.get(self._path, limit="1", **self._selectors)
        return str(page["metadata"]["resourceVersion"])

    async def _list(self) -> str:
        uids: set[str] = set()
        version = ""
        async for page in _pages(self._api, self._path, self._selectors):
            version = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                uids.add(item["metadata"]["uid"])
                self._changed(Change(item))
        self._listed(uids)
        return version

    async def _follow(self, version: str) -> str:
        """Watch from a version until the server ends it; return the version that was reached."""
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, **self._selectors}
        async for event in self._api.lines(self._path, SILENCE, **query):
            if event["type"] == "ERROR":
                raise ApiError(event["object"].get("code", 0), event["object"].get("message", "watch failed"))
            version = event["object"]["metadata"]["resourceVersion"]
            if event["type"] != "BOOKMARK":
                self._changed(Change(event["object"], deleted=event["type"] == "DELETED"))
        return version
