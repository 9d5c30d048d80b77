"""Lists Executions and watches their changes. When a watch fails, it lists and watches again."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus

from execution_operator.plugin.client import ApiError, Client, Json, executions_path

RETRY_SECONDS = 0.5
"""The pause after a failure, before Executions are listed again."""

MAX_CONSECUTIVE_FAILURES = 10
"""The number of failures in a row that are retried."""

PERMANENT_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
"""The answers that are not retried."""


@dataclass(frozen=True)
class Scope:
    """A selection of Executions: by namespace (None means all), labels and name."""

    namespace: str | None
    selector: str | None = None
    name: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """The selectors as query parameters."""
        labels = {"labelSelector": self.selector} if self.selector else {}
        return labels | ({"fieldSelector": f"metadata.name={self.name}"} if self.name else {})


@dataclass(frozen=True)
class Change:
    """A changed Execution.

    Attributes:
        object: Its state. Of an Execution whose deletion only a new list showed, only namespace and name are known.
        deleted: Whether it was deleted.
    """

    object: Json
    deleted: bool = False


async def list_executions(client: Client, scope: Scope) -> tuple[list[Json], str]:
    """Return the Executions of a scope, and the resourceVersion of the list."""
    items: list[Json] = []
    version = ""
    async for page in client.pages(executions_path(scope.namespace), **scope.query):
        items += page["items"]
        version = page["metadata"]["resourceVersion"]
    return items, version


async def watch_executions(client: Client, scope: Scope, version: str = "") -> AsyncGenerator[Change, None]:
    """Yield the changes of the Executions of a scope, without end.

    Args:
        client: The connection.
        scope: The Executions to watch.
        version: The resourceVersion after which to start. Empty means to yield the existing Executions first.

    Raises:
        ApiError: The answer is one of `PERMANENT_STATUSES`, or more than `MAX_CONSECUTIVE_FAILURES` calls failed.
    """
    failures, known = 0, set[tuple[str, str]]()
    while True:
        try:
            if not version:
                items, version = await list_executions(client, scope)
                for change in _changes_of_relist(items, known):
                    yield change
            async for event in client.events(executions_path(scope.namespace), version, **scope.query):
                failures, version = 0, _version(event)
                if event["type"] != "BOOKMARK":
                    known.add(key(event["object"]))
                    yield Change(event["object"], event["type"] == "DELETED")
        except ApiError as error:
            failures += 1
            if error.status in PERMANENT_STATUSES or failures > MAX_CONSECUTIVE_FAILURES:
                raise
            version = ""
            await asyncio.sleep(RETRY_SECONDS)


def _version(event: Json) -> str:
    """Return the resourceVersion of an event of a watch.

    Raises:
        ApiError: The event is an error, so the watch has ended.
    """
    if event["type"] == "ERROR":
        raise ApiError(event["object"].get("code", 0), "Expired", event["object"].get("message", ""))
    version: str = event["object"]["metadata"]["resourceVersion"]
    return version


def key(item: Json) -> tuple[str, str]:
    """Return the namespace and the name of an object."""
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _changes_of_relist(items: list[Json], known: set[tuple[str, str]]) -> list[Change]:
    """Return the changes that a new list shows. An Execution that is known but not listed was deleted."""
    listed = {key(item) for item in items}
    deleted = [
        Change({"metadata": {"namespace": namespace, "name": name}}, deleted=True) for namespace, name in known - listed
    ]
    known.clear()
    known.update(listed)
    return [*deleted, *(Change(item) for item in items)]
