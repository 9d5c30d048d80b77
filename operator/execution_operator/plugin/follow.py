"""Follows Executions: a list, then a watch, and both again when the watch fails."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from execution_operator.plugin.client import ApiError, Client, Json, executions

PAUSE = 0.5
PATIENCE = 10
"""Failures in a row after which following is given up."""


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
    """A changed Execution. With `deleted`, this is its last state."""

    object: Json
    deleted: bool = False


async def listed(client: Client, scope: Scope) -> tuple[list[Json], str]:
    """Return the Executions of a scope, and the resourceVersion of the list."""
    items: list[Json] = []
    version = ""
    async for page in client.pages(executions(scope.namespace), **scope.query):
        items += page["items"]
        version = page["metadata"]["resourceVersion"]
    return items, version


async def changes(client: Client, scope: Scope, version: str = "") -> AsyncGenerator[Change, None]:
    """Yield the changes after a resourceVersion, without end. Without one, yield the existing Executions first."""
    failures, known = 0, set[tuple[str, str]]()
    while True:
        try:
            if not version:
                items, version = await listed(client, scope)
                for change in _relisted(items, known):
                    yield change
            async for event in client.events(executions(scope.namespace), version, **scope.query):
                failures, version = 0, _version(event)
                if event["type"] != "BOOKMARK":
                    known.add(key(event["object"]))
                    yield Change(event["object"], event["type"] == "DELETED")
        except ApiError as error:
            failures += 1
            if error.status in (401, 403, 404) or failures > PATIENCE:
                raise
            version = ""
            await asyncio.sleep(PAUSE)


def _version(event: Json) -> str:
    """Return the resourceVersion of an event of a watch.

    Raises:
        ApiError: It says that the watch can't go on.
    """
    if event["type"] == "ERROR":
        raise ApiError(event["object"].get("code", 0), "Expired", event["object"].get("message", ""))
    version: str = event["object"]["metadata"]["resourceVersion"]
    return version


def key(item: Json) -> tuple[str, str]:
    """Return namespace and name."""
    return item["metadata"]["namespace"], item["metadata"]["name"]


def _relisted(items: list[Json], known: set[tuple[str, str]]) -> list[Change]:
    """Return the changes that a new list shows, deletions included."""
    now = {key(item) for item in items}
    gone = [Change({"metadata": {"namespace": space, "name": name}}, deleted=True) for space, name in known - now]
    known.clear()
    known.update(now)
    return [*gone, *(Change(item) for item in items)]
