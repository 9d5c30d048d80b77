"""Requests of users to the API server, made as dry runs, so that nothing is stored."""

import json
from dataclasses import dataclass
from typing import Any

from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from tests.support.installed import Tenant, execution
from tests.support.kube import APPLY, GROUP, JSON, JSON_PATCH, MERGE, Answer, Json

REASON = {"terminate": {"reason": "runaway cost"}}
OTHER_REASON = {"terminate": {"reason": "out of budget"}}
NO_REQUEST: Json = {"terminate": None}


@dataclass(frozen=True)
class DryRun:
    """One request. `{namespace}` in its path stands for the tenant's namespace."""

    method: str
    path: str
    body: Any = None
    kind: str = JSON

    def by(self, tenant: Tenant, user: str = "") -> Answer:
        """Make the request in a user's name. A dry run passes through authorization and admission."""
        query = {} if self.method == "GET" else {"dryRun": "All"}
        if self.kind == APPLY:
            query |= {"fieldManager": "tries", "force": "true"}
        path, body, kube = self.path.format(namespace=tenant.namespace), self.body, tenant.control_plane.kube
        if self.method == "PUT":  # kubectl replace reads the current resourceVersion first
            version = kube.call("GET", path)["metadata"]["resourceVersion"]
            body = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        return kube.ask(self.method, path, body, kind=self.kind, user=user, **query)


EXECUTIONS = f"{GROUP}/namespaces/{{namespace}}/executions"


def creating(*, annotations: dict[str, str] | None = None, **spec: Any) -> DryRun:
    return DryRun("POST", EXECUTIONS, _manifest("new", annotations, **spec))


def applying(name: str, **spec: Any) -> DryRun:
    return DryRun("PATCH", f"{EXECUTIONS}/{name}", _manifest(name, **spec), APPLY)


def replacing(name: str, **spec: Any) -> DryRun:
    return DryRun("PUT", f"{EXECUTIONS}/{name}", _manifest(name, **spec))


def patching(name: str, patch: Json) -> DryRun:
    return DryRun("PATCH", f"{EXECUTIONS}/{name}", patch, MERGE)


def editing(name: str, *operations: Json) -> DryRun:
    """A JSON patch."""
    return DryRun("PATCH", f"{EXECUTIONS}/{name}", list(operations), JSON_PATCH)


def patching_status(name: str, **status: Any) -> DryRun:
    return DryRun("PATCH", f"{EXECUTIONS}/{name}/status", {"status": status}, MERGE)


def applying_status(name: str, annotations: dict[str, str] | None = None, **status: Any) -> DryRun:
    return DryRun("PATCH", f"{EXECUTIONS}/{name}/status", {**_manifest(name, annotations), "status": status}, APPLY)


def replacing_status(name: str, **status: Any) -> DryRun:
    return DryRun("PUT", f"{EXECUTIONS}/{name}/status", {**_manifest(name), "status": status})


def deleting(name: str) -> DryRun:
    return DryRun("DELETE", f"{EXECUTIONS}/{name}")


def stamped(by: str | None) -> Json:
    """Return the part of a patch that sets or removes the requester annotation."""
    return {"metadata": {"annotations": {REQUESTER_ANNOTATION: by}}}


def _manifest(name: str, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    content: Json = json.loads(execution(name, annotations, **spec))
    return content
