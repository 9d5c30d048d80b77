"""The client of the API server: sends and returns JSON, raises errors that carry the HTTP status."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException
from pydantic_core import from_json

from execution_operator.api import GROUP, VERSION
from execution_operator.core.errors import RecordError
from execution_operator.kube.clock import ServerClock
from execution_operator.kube.config import Credentials, Login

CONNECT_TIMEOUT_SECONDS = 3
"""How long the HTTP client may take to connect."""

REQUEST_TIMEOUT_SECONDS = 10
"""How long the HTTP client may take for a call."""

CALL_TIMEOUT_SECONDS = 11.0
"""How long a call may take, even if the HTTP client misses its own timeout."""

MAX_ERROR_CHARACTERS = 200
"""Length of an error of the HTTP client in a message."""

MAX_ANSWER_CHARACTERS = 300
"""Length of an error answer in a message if it is not a metav1.Status."""

JSON_TYPE = "application/json"
"""Media type of objects."""

MERGE_PATCH_TYPE = "application/merge-patch+json"
"""Media type of merge patches (RFC 7386)."""

Json = dict[str, Any]
"""A JSON object."""


class ApiError(RecordError):
    """The API server refused a call, or gave no answer.

    Attributes:
        status: HTTP status; 0 if there was no answer.
        message: The API server's message.
        resume: The token to continue a list that took too long (status 410). The rest of the list is then from a newer
            resource version. Empty if the list can't be continued.
    """

    def __init__(self, status: int, message: str, resume: str = "") -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.message = message
        self.resume = resume


def collection(plural: str, namespace: str = "") -> str:
    """Return the path of a collection of the operator's own resources; without a namespace, of the whole cluster."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/{plural}"


class Api:
    """The client of the API server, on top of the kubernetes package's client.

    All calls raise ApiError if the API server refuses them or gives no answer in time.

    Args:
        configuration: The address and the credentials.
        client: A client to share; None creates one.
        token: A bearer token to send instead of the configuration's credentials.
    """

    def __init__(self, configuration: Configuration, client: ApiClient | None = None, token: str | None = None) -> None:
        self._configuration = configuration
        self._client = client or ApiClient(configuration)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.clock = ServerClock()

    def with_token(self, token: str) -> "Api":
        """Return a client that shares the connections and sends this token.

        The configuration must be `anonymous`, or the API server may authenticate its credentials instead.
        """
        return Api(self._configuration, self._client, token)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def login(self) -> Login:
        """Return the address and the credentials as they are now. A token that is due is read again first."""
        configuration = self._configuration
        header = await configuration.get_api_key_with_prefix("BearerToken")
        return Login(
            server=configuration.host,
            ca_path=configuration.ssl_ca_cert,
            certificate_path=configuration.cert_file,
            key_path=configuration.key_file,
            token=header.split()[-1] if header else None,
            insecure=not configuration.verify_ssl,
        )

    async def serves(self, plural: str) -> bool:
        """Return whether the API server serves a resource of the operator's own group, with its status subresource."""
        try:
            resources = (await self.get(f"/apis/{GROUP}/{VERSION}"))["resources"]
        except ApiError:
            return False
        return {plural, f"{plural}/status"} <= {resource["name"] for resource in resources}

    async def get(self, path: str, **query: str) -> Json:
        """Read an object or a list."""
        return await self._call("GET", path, query=query)

    async def create(self, path: str, body: Json) -> Json:
        """Create an object."""
        return await self._call("POST", path, body=body)

    async def merge(self, path: str, patch: Json) -> Json:
        """Apply a JSON merge patch (RFC 7386)."""
        return await self._call("PATCH", path, body=patch)

    async def delete(self, path: str, *, uid: str, resource_version: str) -> Json:
        """Delete an object if it still has this UID and this resource version."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return await self._call("DELETE", path, body=body)

    async def read_lines(self, path: str, idle_timeout_seconds: float, **query: str) -> AsyncIterator[Json]:
        """Yield the events of a watch, one JSON object a line, until the server ends it.

        Raises:
            ApiError: The watch was refused, it broke, or no line came for `idle_timeout_seconds`.
        """
        timeout = aiohttp.ClientTimeout(connect=CONNECT_TIMEOUT_SECONDS, sock_read=idle_timeout_seconds)
        response = await self._send("GET", path, query=query, timeout=timeout)
        try:
            async for line in response.content:
                yield from_json(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, f"the watch broke: {_summary(error)}") from error
        finally:
            response.close()

    async def _call(self, method: str, path: str, **options: Any) -> Json:
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                response = await self._send(method, path, timeout=timeout, **options)
                content: Json = from_json(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, f"the API server does not answer: {_summary(error)}") from error
        return content

    async def _send(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's own type
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> aiohttp.ClientResponse:
        try:
            parameters = await self._client.param_serialize(
                method=method,
                resource_path=path,
                query_params=list((query or {}).items()),
                header_params={
                    "Accept": JSON_TYPE,
                    "Content-Type": MERGE_PATCH_TYPE if method == "PATCH" else JSON_TYPE,
                    **self._headers,
                },
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*parameters, _request_timeout=timeout)
        except (aiohttp.ClientError, TimeoutError, ApiException) as error:
            raise ApiError(0, f"the API server does not answer: {_summary(error)}") from error
        except ConfigException as error:
            raise ApiError(0, f"there are no usable credentials for the API server: {error}") from error
        response: aiohttp.ClientResponse = answer.response
        self.clock.observe_date(response.headers.get("Date"))
        credentials = self._configuration.refresh_api_key_hook
        if response.status == HTTPStatus.UNAUTHORIZED and isinstance(credentials, Credentials):
            credentials.mark_rejected()
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            raise await error_of_answer(response)
        return response


def _summary(error: Exception) -> str:
    """Return the error in one line, without the request in it: the request's headers contain the token."""
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return f"{type(error).__name__} {text}".strip().splitlines()[0][:MAX_ERROR_CHARACTERS]


async def error_of_answer(response: aiohttp.ClientResponse) -> ApiError:
    """Return the error in the answer: that of a metav1.Status, else the beginning of the text."""
    try:
        text = await response.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        return ApiError(response.status, _summary(error))
    try:
        status = json.loads(text)
        return ApiError(response.status, str(status["message"]), str(status.get("metadata", {}).get("continue", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(response.status, text[:MAX_ANSWER_CHARACTERS] or str(response.reason))
