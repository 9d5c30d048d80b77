"""The API server as the administrator, without a process for each call."""

import http.client
import json
import ssl
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]
List = list[Json]
GROUP = "/apis/control-plane.kubiya.ai/v1alpha1"


def conditions_of(execution: Json) -> dict[str, str]:
    """Return the conditions as `type: status/reason`."""
    conditions = execution.get("status", {}).get("conditions", [])
    return {condition["type"]: f"{condition['status']}/{condition['reason']}" for condition in conditions}


class KubeError(Exception):
    """The API server refused."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Kube:
    """JSON in and out, one connection a thread."""

    def __init__(self, url: str, authority: Path, certificate: tuple[Path, Path]) -> None:
        self._host = urlsplit(url).netloc
        self._tls = ssl.create_default_context(cafile=authority)
        self._tls.load_cert_chain(*certificate)
        self._local = threading.local()
        self._connections: list[http.client.HTTPSConnection] = []

    def call(self, method: str, path: str, body: Json | None = None, *, kind: str = "", **query: str) -> Json:
        """Make one call, again on a new connection where the old one was closed."""
        kind = kind or ("application/merge-patch+json" if method == "PATCH" else "application/json")
        target = f"{path}?{urlencode(query)}" if query else path
        content = json.dumps(body) if body is not None else None
        for attempt in (1, 2):
            connection = self._connection()
            try:
                connection.request(method, target, content, {"Content-Type": kind})
                response = connection.getresponse()
                answer = response.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()  # it opens again by itself
                if attempt == 2 or method == "POST":
                    raise
        if response.status >= 300:
            raise KubeError(response.status, answer.decode())
        found: Json = json.loads(answer)
        return found

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def apply(self, path: str, manifest: Json) -> Json:
        """Create or change an object, as `kubectl apply --server-side` does; the path is that of its kind."""
        target, kind = f"{path}/{manifest['metadata']['name']}", "application/apply-patch+yaml"
        return self.call("PATCH", target, manifest, kind=kind, fieldManager="kubectl", force="true")

    def create(self, name: str, namespace: str = "team-a", execution_id: str | None = None, **spec: Any) -> Json:
        """Create an Execution."""
        body = {
            "apiVersion": "control-plane.kubiya.ai/v1alpha1",
            "kind": "Execution",
            "metadata": {"name": name},
            "spec": {"executionId": execution_id or name, **spec},
        }
        return self.call("POST", _path(namespace), body)

    def get(self, name: str, namespace: str = "team-a") -> Json:
        """Return an Execution."""
        return self.call("GET", _path(namespace, name))

    def list(self, namespace: str = "team-a") -> List:
        """Return the Executions of a namespace."""
        items: List = self.call("GET", _path(namespace))["items"]
        return items

    def patch(self, name: str, patch: Json, namespace: str = "team-a") -> Json:
        """Merge a patch into an Execution."""
        return self.call("PATCH", _path(namespace, name), patch)

    def delete(self, name: str, namespace: str = "team-a") -> None:
        """Delete an Execution."""
        self.call("DELETE", _path(namespace, name))

    def terminate(self, name: str, reason: str, namespace: str = "team-a", **more: Any) -> Json:
        """Set spec.terminate."""
        return self.patch(name, {"spec": {"terminate": {"reason": reason, **more}}}, namespace)

    def events(self, namespace: str = "team-a", name: str = "") -> List:
        """Return the Events of a namespace, those of one Execution if it is named."""
        path, selector = f"/api/v1/namespaces/{namespace}/events", f"involvedObject.name={name}" if name else ""
        found: List = self.call("GET", path, fieldSelector=selector)["items"]
        return found

    def _connection(self) -> http.client.HTTPSConnection:
        if getattr(self._local, "connection", None) is None:
            self._local.connection = http.client.HTTPSConnection(self._host, context=self._tls, timeout=20)
            self._connections.append(self._local.connection)
        connection: http.client.HTTPSConnection = self._local.connection
        return connection


def _path(namespace: str, name: str = "") -> str:
    return f"{GROUP}/namespaces/{namespace}/executions" + (f"/{name}" if name else "")
