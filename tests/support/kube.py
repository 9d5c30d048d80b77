"""The API server as the administrator, without a process for each call."""

import http.client
import json
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

Json = dict[str, Any]
List = list[Json]
GROUP = "/apis/control-plane.kubiya.ai/v1alpha1"
JSON, MERGE = "application/json", "application/merge-patch+json"
JSON_PATCH, APPLY = "application/json-patch+json", "application/apply-patch+yaml"


def conditions_of(execution: Json) -> dict[str, str]:
    """Return the conditions as `type: status/reason`."""
    conditions = execution.get("status", {}).get("conditions", [])
    return {condition["type"]: f"{condition['status']}/{condition['reason']}" for condition in conditions}


@dataclass(frozen=True)
class Answer:
    """What the API server says: its HTTP status, the object or the metav1.Status, and its headers `Warning`."""

    status: int
    content: Json
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether it did what was asked."""
        return self.status < 300

    @property
    def message(self) -> str:
        """The words of a refusal; none where there is no refusal."""
        return "" if self.accepted else str(self.content.get("message", self.content))


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
        kind = kind or (MERGE if method == "PATCH" else JSON)
        answer = self.ask(method, path, body, kind=kind, **query)
        if not answer.accepted:
            raise KubeError(answer.status, answer.message)
        return answer.content

    def ask(
        self, method: str, path: str, body: Any = None, *, kind: str = JSON, user: str = "", **query: str
    ) -> Answer:
        """Make one call, as the administrator or in another's name; return the answer, a refusal too."""
        headers = {"Content-Type": kind, **({"Impersonate-User": user} if user else {})}
        target = f"{path}?{urlencode(query)}" if query else path
        content = json.dumps(body) if body is not None else None
        for attempt in (1, 2):
            connection = self._connection()
            try:
                connection.request(method, target, content, headers)
                response = connection.getresponse()
                read = response.read()
                break
            except (OSError, http.client.HTTPException):
                connection.close()  # it opens again by itself
                if attempt == 2 or method == "POST":
                    raise
        return Answer(response.status, _json(read), tuple(response.headers.get_all("Warning", [])))

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def apply(self, path: str, manifest: Json) -> Json:
        """Create or change an object, as `kubectl apply --server-side` does; the path is that of its kind."""
        target = f"{path}/{manifest['metadata']['name']}"
        return self.call("PATCH", target, manifest, kind=APPLY, fieldManager="kubectl", force="true")

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


def _json(read: bytes) -> Json:
    """Return the object; text that is none, as of an API server that is just starting, becomes a message."""
    try:
        content: Json = json.loads(read)
    except ValueError:
        return {"message": read.decode(errors="replace")}
    return content


def _path(namespace: str, name: str = "") -> str:
    return f"{GROUP}/namespaces/{namespace}/executions" + (f"/{name}" if name else "")
