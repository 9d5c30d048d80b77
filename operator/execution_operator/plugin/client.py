"""The client of the API server: JSON calls, paged lists and watches."""

import asyncio
import json
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any, Self
from urllib.request import getproxies

import aiohttp

from execution_operator.plugin.credentials import read_credentials
from execution_operator.plugin.exit_codes import Failure
from execution_operator.plugin.kubeconfig import Config, load
from execution_operator.plugin.values import GROUP

Json = dict[str, Any]

API_VERSION = f"{GROUP}/v1alpha1"
"""The apiVersion of Executions and Organizations."""

KIND = "Execution"
"""The kind of Executions."""

ROOT = f"/apis/{API_VERSION}"
"""The path of the API version."""

FIELD_MANAGER = "execution-terminator"
"""The plugin's name in managedFields. Flux reverts changes by managers whose names begin with `kubectl`."""

TABLE_MEDIA_TYPE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
"""The media type of a list in the columns of `kubectl get`."""

MERGE_PATCH_HEADERS = {"Content-Type": "application/merge-patch+json"}
"""The headers of a JSON merge patch."""

PAGE_SIZE = "500"
"""The number of objects of one page of a list."""

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)
"""Seconds that a call may take, and that its connection may take."""

WATCH_TIMEOUT = aiohttp.ClientTimeout(sock_connect=10, sock_read=120)
"""Seconds that the connection of a watch may take, and that a watch may be without an event."""

READ_BUFFER_BYTES = 1 << 20
"""The read buffer of a connection. aiohttp reads lines of up to twice this size: an event of a watch is one line."""

MAX_MESSAGE_LENGTH = 300
"""The most characters of an error message that is not a Kubernetes status."""


class ApiError(Failure):
    """The API server refused a call or did not answer.

    Attributes:
        status: The HTTP status. 0 means no answer.
        reason: The reason of the Kubernetes status, for example `NotFound`.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


def executions_path(namespace: str | None) -> str:
    """Return the path of the Executions of a namespace, or of all namespaces."""
    return f"{ROOT}/namespaces/{namespace}/executions" if namespace else f"{ROOT}/executions"


class Client:
    """A connection to the API server with the user's credentials.

    Attributes:
        config: The context of the kubeconfig.
        warnings: How often the API server sent each warning.
    """

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
        """Close the connection."""
        for session in self._sessions:
            await session.close()

    async def get(self, path: str, accept: str = "application/json", **query: str) -> Json:
        """Read an object, a list or a table.

        Raises:
            ApiError: The API server refused the call or did not answer. All calls of the client raise it.
        """
        return await self._call("GET", path, params=query, headers={"Accept": accept})

    async def create(self, path: str, body: Json, **query: str) -> Json:
        """Create an object."""
        return await self._call("POST", path, params=query, json=body)

    async def merge(self, path: str, patch: Json, **query: str) -> Json:
        """Apply a JSON merge patch."""
        return await self._call("PATCH", path, params=query, json=patch, headers=MERGE_PATCH_HEADERS)

    async def pages(self, path: str, accept: str = "application/json", **query: str) -> AsyncIterator[Json]:
        """Yield the pages of a list."""
        paging = {"limit": PAGE_SIZE}
        while True:
            page = await self.get(path, accept, **query, **paging)
            yield page
            if not (token := page["metadata"].get("continue")):
                return
            paging = {"limit": PAGE_SIZE, "continue": token}

    async def events(self, path: str, version: str, **query: str) -> AsyncIterator[Json]:
        """Yield the events of a watch after a resourceVersion, until the API server ends the watch."""
        parameters = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version, **query}
        response = await self._send("GET", path, params=parameters, timeout=WATCH_TIMEOUT)
        try:
            async for line in response.content:
                yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, "Broken", f"the watch failed: {error}") from None
        finally:
            response.close()

    async def _open(self) -> None:
        """Open a connection with the present credentials.

        Raises:
            Failure: There are no usable credentials.
        """
        credentials = await asyncio.to_thread(read_credentials, self.config)
        try:
            tls = self.config.tls(credentials.certificate, credentials.key)
        except (OSError, ValueError) as error:
            raise Failure(f"the certificates of the kubeconfig can't be used: {error}") from None
        headers = [("Authorization", credentials.authorization)] if credentials.authorization else []
        self._session = aiohttp.ClientSession(
            self.config.server,
            connector=aiohttp.TCPConnector(ssl=tls, limit=0),
            headers=[*headers, *self._impersonation],
            trust_env=bool(getproxies()),  # only where a proxy is set, because it makes each request read .netrc
            read_bufsize=READ_BUFFER_BYTES,
        )
        self._sessions.append(self._session)  # earlier sessions stay open for their calls under way

    async def _renew(self, refused: aiohttp.ClientSession) -> None:
        """Open a connection with new credentials. All calls that one connection refused share the new one."""
        async with self._renewing:
            if self._session is refused:
                await self._open()

    async def _call(self, method: str, path: str, **options: Any) -> Json:
        response = await self._send(method, path, timeout=REQUEST_TIMEOUT, **options)
        try:
            content: Json = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, "NoAnswer", f"no answer from {self.config.server}: {_first_line(error)}") from None
        return content

    async def _send(self, method: str, path: str, *, may_renew: bool = True, **options: Any) -> aiohttp.ClientResponse:
        session = self._session
        if session is None:
            raise RuntimeError("use the client in an async with block")
        connection: dict[str, Any] = {
            "server_hostname": self.config.cluster.get("tls-server-name"),
            "proxy": self.config.cluster.get("proxy-url"),
        }
        try:
            response = await session.request(method, path, **connection, **options)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(0, "NoAnswer", f"no answer from {self.config.server}: {_first_line(error)}") from None
        warnings = response.headers.getall("Warning", [])
        self.warnings.update(warning.split('"')[1] for warning in warnings if '"' in warning)
        if response.status == HTTPStatus.UNAUTHORIZED and may_renew and self.config.user.keys() & {"exec", "tokenFile"}:
            await self._renew(session)
            return await self._send(method, path, may_renew=False, **options)
        if not response.ok:
            raise await _error(response)
        return response


async def _error(response: aiohttp.ClientResponse) -> ApiError:
    """Return the error of a refused call."""
    text = await response.text()
    try:
        status = json.loads(text)
        reason, message = str(status.get("reason") or response.reason), str(status["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        reason, message = str(response.reason), text.strip()[:MAX_MESSAGE_LENGTH] or str(response.reason)
        if response.status == HTTPStatus.NOT_FOUND and response.url.path.startswith(ROOT):
            message = f"the API server does not serve {GROUP}: run kubectl execution doctor"
    if response.status == HTTPStatus.UNAUTHORIZED:
        message = "the API server does not accept your credentials (Unauthorized): log in again"
    return ApiError(response.status, reason, message)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
