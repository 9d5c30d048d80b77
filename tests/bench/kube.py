"""The API server over bare aiohttp: what a benchmark may cost, and a floor may be."""

import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

Json = dict[str, Any]
GROUP = "/apis/control-plane.kubiya.ai/v1alpha1"
MERGE_PATCH = "application/merge-patch+json"
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


class Kube:
    """A connection as the kubeconfig's user: by token or by client certificate."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._server: str = cluster["server"]
        tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        if "client-key-data" in user:
            _load_certificate(tls, user)
        self._headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
        self._connector = aiohttp.TCPConnector(ssl=tls, limit=0)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(self._server, connector=self._connector, headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Json:
        """Return an object or a list."""
        return await self._call("GET", path, params=query)

    async def cached(self, path: str) -> bool:
        """Return whether the API server's watch cache has an object."""
        async with self._session.get(path, params={"resourceVersion": "0"}) as response:
            return response.ok

    async def create(self, path: str, body: Json) -> Json:
        """Create an object in a collection."""
        return await self._call("POST", path, json=body)

    async def merge(self, path: str, body: Json) -> Json:
        """Merge a patch into an object."""
        return await self._call("PATCH", path, data=json.dumps(body), headers={"Content-Type": MERGE_PATCH})

    async def lines(self, path: str, *, metadata_only: bool = False, **query: str) -> AsyncIterator[bytes]:
        """Watch: yield one JSON document a line."""
        headers = {"Accept": METADATA_ONLY} if metadata_only else {}
        query = {"watch": "true", "timeoutSeconds": "3600", **query}
        async with self._session.get(path, params=query, headers=headers, timeout=NO_TIMEOUT) as response:
            response.raise_for_status()
            async for line in response.content:
                yield line

    async def _call(self, method: str, path: str, **how: Any) -> Json:
        async with self._session.request(method, path, **how) as response:
            content: Json = await response.json()
            if not response.ok:
                raise RuntimeError(f"{method} {path}: {response.status} {content.get('message')}")
            return content


def executions(namespace: str, name: str = "") -> str:
    """Return the path of a namespace's Executions, or of one."""
    return f"{GROUP}/namespaces/{namespace}/executions" + (f"/{name}" if name else "")


def _load_certificate(tls: ssl.SSLContext, user: Mapping[str, str]) -> None:
    """Load a client certificate, which OpenSSL takes from files only."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("certificate", "key"):
            (Path(folder) / name).write_bytes(base64.b64decode(user[f"client-{name}-data"]))
        tls.load_cert_chain(Path(folder) / "certificate", Path(folder) / "key")
