"""The Secrets of the operator's own namespace, as they are now."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping

from execution_operator.core.errors import SecretError
from execution_operator.kube.client import Api
from execution_operator.kube.watch import Change, Selection, Watch

PATIENCE = 5.0
"""Seconds to wait for the first list: without the right to read Secrets it never comes, and few need it."""

KEPT = ("tls.crt", "tls.key", "ca.crt", "apiKey")
"""What is kept of a Secret: the keys that an Organization can mean, and nothing else that lies in the namespace."""


class Secrets:
    """Follows the Secrets of one namespace.

    Args:
        changed: Called when one has changed.
    """

    def __init__(self, api: Api, namespace: str, changed: Callable[[], None]) -> None:
        self._namespace = namespace
        self._data: dict[str, dict[str, bytes]] = {}
        self._uids: dict[str, str] = {}
        self._listed = asyncio.Event()
        self._tell = changed
        self._watch = Watch(api, Selection(f"/api/v1/namespaces/{namespace}/secrets"), self._changed, self._complete)

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

    def current(self, name: str) -> Mapping[str, bytes]:
        """Return a Secret as it is now, its values decoded.

        Raises:
            SecretError: There is none, or none could be read so far.
        """
        if name in self._data:
            return self._data[name]
        if not self._listed.is_set():
            raise SecretError(f"Secret {name} could not be read so far: may the operator list Secrets?")
        raise SecretError(f"Secret {name} does not exist in the operator's namespace {self._namespace}")

    def _changed(self, change: Change) -> None:
        meta = change.object["metadata"]
        if change.deleted:
            self._drop(meta["name"])
        else:
            self._uids[meta["name"]] = meta["uid"]
            self._put(meta["name"], change.object.get("data") or {})

    def _complete(self, uids: set[str]) -> None:
        """Drop the Secrets that a complete list does not hold: they were deleted while nobody looked."""
        for name in [name for name, uid in self._uids.items() if uid not in uids]:
            self._drop(name)
        if not self._listed.is_set():
            self._listed.set()
            self._tell()

    def _put(self, name: str, data: Mapping[str, str]) -> None:
        content = {key: _decoded(data[key]) for key in KEPT if key in data}
        if self._data.get(name) != content:
            self._data[name] = content
            self._tell()

    def _drop(self, name: str) -> None:
        self._uids.pop(name, None)
        if self._data.pop(name, None) is not None:
            self._tell()


def _decoded(value: str) -> bytes:
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return b""
