"""The Secrets in the operator's own namespace, kept up to date by a watch."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping

from execution_operator.core.errors import SecretError
from execution_operator.kube.client import Api
from execution_operator.kube.watch import Change, Selection, Watch

SYNC_TIMEOUT_SECONDS = 5.0
"""How long `synced` waits for the first list. Without the right to read Secrets, the list never comes; few operators
need a Secret.
"""

KEPT_KEYS = ("tls.crt", "tls.key", "ca.crt", "apiKey")
"""The keys of a Secret that are kept in memory: those that an Organization can refer to."""


class Secrets:
    """A copy of the Secrets of one namespace.

    Args:
        api: The API server.
        namespace: The operator's own namespace.
        changed: Called after the first list, and whenever a Secret has changed.
    """

    def __init__(self, api: Api, namespace: str, changed: Callable[[], None]) -> None:
        self._namespace = namespace
        self._data: dict[str, dict[str, bytes]] = {}
        self._uids: dict[str, str] = {}
        self._listed = asyncio.Event()
        self._report = changed
        self._watch = Watch(
            api, Selection(f"/api/v1/namespaces/{namespace}/secrets"), self._on_change, self._on_complete_list
        )

    async def run(self) -> None:
        """Watch the Secrets until cancelled."""
        await self._watch.run()

    async def synced(self) -> None:
        """Wait for the first complete list, at most SYNC_TIMEOUT_SECONDS."""
        try:
            async with asyncio.timeout(SYNC_TIMEOUT_SECONDS):
                await self._listed.wait()
        except TimeoutError:
            return

    def current(self, name: str) -> Mapping[str, bytes]:
        """Return the decoded values of a Secret as it is now.

        Raises:
            SecretError: The Secret does not exist, or Secrets could not be listed yet.
        """
        if name in self._data:
            return self._data[name]
        if not self._listed.is_set():
            raise SecretError(
                f"Secret {name} could not be read: the operator has not been able to list the Secrets in its "
                f"namespace {self._namespace}; check its Role"
            )
        raise SecretError(f"Secret {name} does not exist in the operator's namespace {self._namespace}: create it")

    def _on_change(self, change: Change) -> None:
        meta = change.object["metadata"]
        if change.deleted:
            self._drop(meta["name"])
        else:
            self._uids[meta["name"]] = meta["uid"]
            self._put(meta["name"], change.object.get("data") or {})

    def _on_complete_list(self, uids: set[str]) -> None:
        """Drop the Secrets that are not in the list: they were deleted while there was no watch."""
        for name in [name for name, uid in self._uids.items() if uid not in uids]:
            self._drop(name)
        if not self._listed.is_set():
            self._listed.set()
            self._report()

    def _put(self, name: str, data: Mapping[str, str]) -> None:
        content = {key: _decoded(data[key]) for key in KEPT_KEYS if key in data}
        if self._data.get(name) != content:
            self._data[name] = content
            self._report()

    def _drop(self, name: str) -> None:
        self._uids.pop(name, None)
        if self._data.pop(name, None) is not None:
            self._report()


def _decoded(value: str) -> bytes:
    """Return the decoded value; empty if it is not base64."""
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return b""
