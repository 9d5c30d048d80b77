"""The Secrets of the operator's own namespace, as they are now."""

import asyncio
import base64
import binascii
from collections.abc import Callable

from execution_operator.kube.client import Api
from execution_operator.kube.watch import Change, Watch

PATIENCE = 5.0
"""Seconds to wait for the first list: without the right to read Secrets it never comes, and few need it."""


class Secrets:
    """Follows the Secrets of one namespace.

    Args:
        changed: Called when one has changed after the first list.
    """

    def __init__(self, api: Api, namespace: str, changed: Callable[[], None]) -> None:
        self._data: dict[str, dict[str, bytes]] = {}
        self._listed = asyncio.Event()
        self._tell = changed
        path = f"/api/v1/namespaces/{namespace}/secrets"
        self._watch = Watch(api, path, self._changed, lambda _: self._listed.set())

    async def run(self) -> None:
        """Follow until cancelled."""
        await self._watch.run()

    async def synced(self) -> None:
        """Wait for the first list, but not for ever."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._listed.wait()
        except TimeoutError:
            return

    def current(self) -> dict[str, dict[str, bytes]]:
        """Return the Secrets by name, their values decoded."""
        return self._data

    def _changed(self, change: Change) -> None:
        name = change.object["metadata"]["name"]
        if change.deleted:
            self._data.pop(name, None)
        else:
            self._data[name] = {key: _decoded(value) for key, value in (change.object.get("data") or {}).items()}
        if self._listed.is_set():
            self._tell()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return b""
