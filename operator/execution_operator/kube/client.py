"""One connection to the API server: configuration as kubectl has it, JSON in and out, errors with their status."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from execution_operator.api import GROUP, VERSION
from execution_operator.core.errors import RecordError
from execution_operator.kube.clock import ServerClock

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its ServiceAccount's token and namespace."""

LONGEST_AGE, REFUSED_AGE = 60.0, 1.0
"""Seconds after which credentials are read again: while they are good, and when the API server has refused them."""

REQUEST_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
LONGEST_CALL = 11.0
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


@dataclass(frozen=True)
class Login:
    """What another client needs to reach the same API server as the same user."""

    server: str
    ca_path: str | None
    certificate_path: str | None
    key_path: str | None
    token: str | None = field(repr=False)
    insecure: bool = False


class _Credentials:
    """The operator's own, read again at times, and at once when the API server refuses them: tokens are replaced.

    Args:
        load: Reads them into the configuration.
    """

    def __init__(self, load: Callable[[Configuration], Awaitable[object]]) -> None:
        self._load = load
        self._read = -inf
        self._refused = False

    async def __call__(self, configuration: Configuration) -> None:
        """Bring the configuration up to date. The client calls this before each request.

        It takes the place of the hook that the loader for pods sets, which is deaf to refusals.
        """
        age = time.monotonic() - self._read
        if age > (REFUSED_AGE if self._refused else LONGEST_AGE):
            self._read, self._refused = time.monotonic(), True  # until they have been read
            await self._load(configuration)
            self._refused = False
            configuration.refresh_api_key_hook = self  # type: ignore[assignment] # the package types it as None

    def refuse(self) -> None:
        """Take note that the API server refuses them."""
        self._refused = True


async def load_configuration(kubeconfig: Path | None = None) -> Configuration:
    """Return the configuration of the file, KUBECONFIG, the pod, or ~/.kube/config: the first that there is."""
    configuration = Configuration()
    configuration.client_session_kwargs = {"trust_env": bool(getproxies())}  # with it, each request reads .netrc
    file = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG")
    in_pod = file is None and (SERVICE_ACCOUNT / "token").exists()

    async def load(target: Configuration) -> None:
        if in_pod:
            load_incluster_config(client_configuration=target)
        else:
            await load_kube_config(file, client_configuration=target)

    await _Credentials(load)(configuration)
    return configuration


def anonymous(configuration: Configuration) -> Configuration:
    """Return the way to the same API server without any credentials: neither token nor client certificate."""
    bare = Configuration(host=configuration.host)
    for name in ("ssl_ca_cert", "verify_ssl", "tls_server_name", "proxy", "client_session_kwargs"):
        setattr(bare, name, getattr(configuration, name))
    return bare


def own_namespace() -> str:
    """Return the operator's own namespace: OPERATOR_NAMESPACE, the pod's, or execution-operator."""
    file = SERVICE_ACCOUNT / "namespace"
    in_pod = file.read_text().strip() if file.exists() else ""
    return os.environ.get("OPERATOR_NAMESPACE") or in_pod or "execution-operator"


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

    def bearing(self, token: str) -> "Api":
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

    async def lines(self, path: str, silence: float, **query: str) -> AsyncIterator[Json]:
        """Read a watch: one JSON object a line, until the server ends it or is silent for `silence` seconds."""
        limit = aiohttp.ClientTimeout(connect=3, sock_read=silence)
        response = await self._send("GET", path, query=query, limit=limit)
        try:
            async for line in response.content:
                yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise ApiError(0, f"watch broken: {_say(error)}") from error
        finally:
            response.close()

    async def _call(self, method: str, path: str, **how: Any) -> Json:
        try:
            async with asyncio.timeout(LONGEST_CALL):
                response = await self._send(method, path, limit=REQUEST_TIMEOUT, **how)
                content: Json = await response.json()
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
        self.clock.hear(response.headers.get("Date"))
        if response.status == UNAUTHORIZED and isinstance(self._configuration.refresh_api_key_hook, _Credentials):
            self._configuration.refresh_api_key_hook.refuse()
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
        text = await response.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return ApiError(response.status, _say(error))
    try:
        status = json.loads(text)
        return ApiError(response.status, str(status["message"]), str(status.get("metadata", {}).get("continue", "")))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ApiError(response.status, text[:300] or str(response.reason))
