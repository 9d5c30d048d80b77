"""JSON calls to the API server."""

import asyncio
import json
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self
from urllib.request import getproxies

import aiohttp

from execution_operator.plugin.credentials import current
from execution_operator.plugin.exit_codes import Failure
from execution_operator.plugin.kubeconfig import Config, load
from execution_operator.plugin.values import GROUP

Json = dict[str, Any]

API_VERSION, KIND = f"{GROUP}/v1alpha1", "Execution"
ROOT = f"/apis/{API_VERSION}"
FIELD_MANAGER = "execution-terminator"
"""Names the plugin in managedFields. Flux undoes what managers wrote whose names begin with `kubectl`."""

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}
PAGE = "500"
TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
SILENCE = aiohttp.ClientTimeout(sock_connect=10, sock_read=120)
UNAUTHORIZED, NOT_FOUND = 401, 404

LONGEST_LINE = 1 << 20
"""Bytes of one event of a watch: aiohttp takes twice as many."""


class ApiError(Failure):
    """The API server refused a call, or gave no answer (`status` 0)."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def executions(namespace: str | None) -> str:
    """Return the path of the Executions of a namespace, or of all namespaces."""
    return f"{ROOT}/namespaces/{namespace}/executions" if namespace else f"{ROOT}/executions"


class Client:
    """A connection to the API server with the user's credentials. `warnings` has the server's Warning headers."""

    def __init__(
        self, config: Config, impersonate: Mapping[str, str] | None = None, groups: list[str] | None = None
    ) -> None:
        self.config = config
        self.warnings: Counter[str] = Counter()
        self._impersonation = [*(impersonate or {}).items(), *(("Impersonate-Group", group) for group in groups or [])]
        self._session: aiohttp.ClientSession | None = None
        self._sessions: list[aiohttp.ClientSession] = []
        self._renewing = asyncio.Lock()

    @classmethod
    def of(cls, arguments: Namespace) -> Self:
        """Return a client for the context that the options select."""
        config = load(arguments.kubeconfig, arguments.context, arguments.namespace)
        return cls(config, {"Impersonate-User": arguments.user} if arguments.user else {}, arguments.groups)

    @property
    def namespace(self) -> str:
        """The namespace of the context."""
        return self.config.namespace

    async def __aenter__(self) -> Self:
        """Open the connection."""
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        for session in self._sessions:
            await session.close()

    async def get(self, path: str, accept: str = "application/json", **query: str) -> Json:
        """Read an object, a list or a table."""
        return await self._call("GET", path, params=query, headers={"Accept": accept})

    async def create(self, path: str, body: Json, **query: str) -> Json:
        """Create an object."""
        return await self._call("POST", path, params=query, json=body)

    async def merge(self, path: str, patch: Json, **query: str) -> Json:
        """Apply a JSON merge patch."""
        return await self._call("PATCH", path, params=query, json=patch, headers=MERGE_PATCH)

    async def pages(self, path: str, accept: str = "application/json", **query: str) -> AsyncIterator[Json]:
        """Yield the pages of a list."""
        more = {"limit": PAGE}
        while True:
            page = await self.get(path, accept, **query, **more)
            yield page
            if not (token := page["metadata"].get("continue")):
                return
            more = {"limit": PAGE, "continue": token}

    async def events(self, path: str, version: str, **query: str) -> AsyncIterator[Json]:
        """Yield the events of a watch from a version on."""
        everything = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, **query}
        response = await self._send("GET", path, params=everything, timeout=SILENCE)
        try:
            async for line in response.content:
                yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, "Broken", f"the watch broke: {error}") from None
        finally:
            response.close()

    async def _open(self) -> None:
        credentials = await asyncio.to_thread(current, self.config)
        try:
            tls = self.config.tls(credentials.certificate, credentials.key)
        except (OSError, ValueError) as error:
            raise Failure(f"the certificates of the kubeconfig can't be used: {error}") from None
        headers = [("Authorization", credentials.authorization)] if credentials.authorization else []
        self._session = aiohttp.ClientSession(
            self.config.server,
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            headers=[*headers, *self._impersonation],
            trust_env=bool(getproxies()),  # with it, each request reads .netrc
            read_bufsize=LONGEST_LINE,
        )
        self._sessions.append(self._session)  # calls on earlier ones may still be under way

    async def _renew(self, refused: aiohttp.ClientSession) -> None:
        """Reopen the connection with new credentials, once for all calls that were refused."""
        async with self._renewing:
            if self._session is refused:
                await self._open()

    async def _call(self, method: str, path: str, **options: Any) -> Json:
        response = await self._send(method, path, timeout=TIMEOUT, **options)
        try:
            content: Json = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, "NoAnswer", f"no answer of {self.config.server}: {_line(error)}") from None
        return content

    async def _send(self, method: str, path: str, *, again: bool = True, **options: Any) -> aiohttp.ClientResponse:
        session = self._session
        if session is None:
            raise RuntimeError("use the client in an async with block")
        way: dict[str, Any] = {
            "server_hostname": self.config.cluster.get("tls-server-name"),
            "proxy": self.config.cluster.get("proxy-url"),
        }
        try:
            response = await session.request(method, path, **way, **options)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "NoAnswer", f"no answer of {self.config.server}: {_line(error)}") from None
        warnings = response.headers.getall("Warning", [])
        self.warnings.update(warning.split('"')[1] for warning in warnings if '"' in warning)
        if response.status == UNAUTHORIZED and again and self.config.user.keys() & {"exec", "tokenFile"}:
            await self._renew(session)
            return await self._send(method, path, again=False, **options)
        if not response.ok:
            raise await _error(response)
        return response


async def _error(response: aiohttp.ClientResponse) -> ApiError:
    text = await response.text()
    try:
        status = json.loads(text)
        reason, message = str(status.get("reason") or response.reason), str(status["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        reason, message = str(response.reason), text.strip()[:300] or str(response.reason)
        if response.status == NOT_FOUND and response.url.path.startswith(ROOT):
            message = f"the API server does not know {GROUP}: kubectl execution doctor says what to do"
    if response.status == UNAUTHORIZED:
        message = "the API server does not accept your credentials (Unauthorized)"
    return ApiError(response.status, reason, message)


def _line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
