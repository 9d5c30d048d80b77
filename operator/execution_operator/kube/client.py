"""One connection to the API server: JSON in and out, errors with their status."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
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

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
CALL_TIMEOUT_SECONDS = 11.0
"""Seconds after which a call ends even if the client does not notice."""

UNAUTHORIZED = 401
JSON, MERGE_PATCH = "application/json", "application/merge-patch+json"
Json = dict[str, Any]


class ApiError(RecordError):
    """The API server said no, or nothing.

    Attributes:
        status: HTTP status; 0 where there was no answer.
        message: The API server's message.
        resume: Of a list that took too long (410): where it can go on, with what is there by then.
    """

    def __init__(self, status: int, message: str, resume: str = "") -> None:
        super().__init__(f"{status}: {message}" if status else message)
        self.status = status
        self.message = message
        self.resume = resume


def collection(plural: str, namespace: str = "") -> str:
    """Return the path of a collection of the operator's own resources."""
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/{plural}"


class Api:
    """JSON calls to the API server, over the kubernetes package's client."""

    def __init__(self, configuration: Configuration, client: ApiClient | None = None, token: str | None = None) -> None:
        self._configuration = configuration
        self._client = client or ApiClient(configuration)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.clock = ServerClock()

    def with_token(self, token: str) -> "Api":
        """Return the same connection in another's name. It must be `anonymous`, or its own credentials may count."""
        return Api(self._configuration, self._client, token)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def login(self) -> Login:
        """Return the credentials as they are now: tokens are read anew when they are due."""
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
        """Tell whether discovery shows a resource of the operator's own group, with its status."""
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
        """Delete an object, if it is this one in this version."""
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions}
        return await self._call("DELETE", path, body=body)

    async def read_lines(self, path: str, silence: float, **query: str) -> AsyncIterator[Json]:
        """Read a watch: one JSON object a line, until the server ends it or is silent for `silence` seconds."""
        limit = aiohttp.ClientTimeout(connect=3, sock_read=silence)
        response = await self._send("GET", path, query=query, limit=limit)
        try:
            async for line in response.content:
                yield from_json(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, f"watch broken: {_say(error)}") from error
        finally:
            response.close()

    async def _call(self, method: str, path: str, **how: Any) -> Json:
        try:
            async with asyncio.timeout(CALL_TIMEOUT_SECONDS):
                response = await self._send(method, path, limit=REQUEST_TIMEOUT, **how)
                content: Json = from_json(await response.read())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, f"the API server does not answer: {_say(error)}") from error
        return content

    async def _send(
        self,
        method: str,
        path: str,
        *,
        limit: aiohttp.ClientTimeout,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
    ) -> aiohttp.ClientResponse:
        try:
            parameters = await self._client.param_serialize(
                method=method,
                resource_path=path,
                query_params=list((query or {}).items()),
                header_params={
                    "Accept": JSON,
                    "Content-Type": MERGE_PATCH if method == "PATCH" else JSON,
                    **self._headers,
                },
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*parameters, _request_timeout=limit)
        except (aiohttp.ClientError, TimeoutError, ApiException) as error:
            raise ApiError(0, f"the API server does not answer: {_say(error)}") from error
        except ConfigException as error:
            raise ApiError(0, f"no credentials for the API server: {error}") from error
        response: aiohttp.ClientResponse = answer.response
        self.clock.observe_date(response.headers.get("Date"))
        if response.status == UNAUTHORIZED and isinstance(self._configuration.refresh_api_key_hook, Credentials):
            self._configuration.refresh_api_key_hook.mark_rejected()
        if response.status >= 300:  # noqa: PLR2004 - HTTP's own limit of success
            raise await _refusal(response)
        return response


def _say(error: Exception) -> str:
    """Return the error in a line, without the request that it may hold: that has the token in its headers."""
    words = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    return f"{type(error).__name__} {words}".strip().splitlines()[0][:200]


async def _refusal(response: aiohttp.ClientResponse) -> ApiError:
    """Return the error that a metav1.Status tells of, or what there is instead."""
    try:
        text = await response.text(errors="replace")
    except (aiohttp.ClientError, TimeoutError) as error:
        return ApiError(response.status, _say(error))
    try:
        status = json.loads(text)
        return ApiError(response.status, str(status["message"]), str(status.get("metadata", {}).get("continue", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(response.status, text[:300] or str(response.reason))
