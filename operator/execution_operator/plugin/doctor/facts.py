"""What the doctor looks at. What the user may not see is None: unknown, and neither good nor bad."""

import asyncio
from dataclasses import dataclass
from typing import Any

from execution_operator.plugin.client import GROUP, ROOT, ApiError, Client, Json, executions

FORBIDDEN, NOT_FOUND = 403, 404
OPERATOR = "system:serviceaccount:execution-operator:execution-operator"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/executions.{GROUP}"
DEPLOYMENTS = "/apis/apps/v1/namespaces/execution-operator/deployments"

OWN_RIGHTS = {
    "read Executions": ("get", "executions"),
    "change Executions": ("patch", "executions"),
    "terminate": ("create", "executions/terminate"),
}
"""What a user needs, as verb and resource."""

OPERATORS_RIGHTS = {
    "watch Executions": ("watch", "executions"),
    "write their status": ("patch", "executions/status"),
    "watch Organizations": ("watch", "organizations"),
    "write their status too": ("patch", "organizations/status"),
}
"""What the operator's account needs in every namespace."""


@dataclass(frozen=True)
class Facts:
    """What there is. None stands for what the user may not see."""

    namespace: str
    version: str
    served: set[str]
    crd: Json | None
    exists: bool | None
    rights: dict[str, bool]
    operators_rights: dict[str, bool] | None
    policies: set[str] | None
    bindings: set[str] | None
    stamps: set[str] | None
    stamp_bindings: set[str] | None
    organizations: list[Json] | None
    executions: list[Json] | None
    deployments: list[Json] | None


async def gather(client: Client) -> Facts:
    """Look at everything at once."""
    version = await client.get("/version")  # an API server that does not answer ends it here
    looks = {
        "served": _served(client),
        "crd": _get(client, CRD),
        "exists": _exists(client),
        "rights": _rights(client),
        "operators_rights": _operators_rights(client),
        "policies": _names(client, f"{ADMISSION}/validatingadmissionpolicies"),
        "bindings": _names(client, f"{ADMISSION}/validatingadmissionpolicybindings"),
        "stamps": _names(client, f"{ADMISSION}/mutatingadmissionpolicies"),
        "stamp_bindings": _names(client, f"{ADMISSION}/mutatingadmissionpolicybindings"),
        "organizations": _items(client, f"{ROOT}/organizations"),
        "executions": _items(client, executions(client.namespace), limit="500"),
        "deployments": _items(client, DEPLOYMENTS),
    }
    found: dict[str, Any] = dict(zip(looks, await asyncio.gather(*looks.values()), strict=True))
    return Facts(namespace=client.namespace, version=version["gitVersion"], **found)


async def _get(client: Client, path: str, **query: str) -> Json | None:
    """Return an object; None if the user may not see it, or it is not there."""
    try:
        return await client.get(path, **query)
    except ApiError as error:
        if error.status in (FORBIDDEN, NOT_FOUND):
            return None
        raise


async def _items(client: Client, path: str, **query: str) -> list[Json] | None:
    found = await _get(client, path, **query)
    return None if found is None else found["items"]


async def _names(client: Client, path: str) -> set[str] | None:
    """Return the names of a kind; none where the API server does not have the kind."""
    try:
        found = await client.get(path)
    except ApiError as error:
        if error.status == FORBIDDEN:
            return None
        if error.status == NOT_FOUND:
            return set()
        raise
    return {item["metadata"]["name"] for item in found["items"]}


async def _served(client: Client) -> set[str]:
    found = await _get(client, ROOT)
    return {resource["name"] for resource in found["resources"]} if found else set()


async def _exists(client: Client) -> bool | None:
    try:
        await client.get(f"/api/v1/namespaces/{client.namespace}")
    except ApiError as error:
        return False if error.status == NOT_FOUND else None
    return True


async def _rights(client: Client) -> dict[str, bool]:
    return {
        words: await _may(client, "SelfSubjectAccessReview", "selfsubjectaccessreviews", *right, client.namespace)
        for words, right in OWN_RIGHTS.items()
    }


async def _operators_rights(client: Client) -> dict[str, bool] | None:
    try:
        return {
            words: await _may(client, "SubjectAccessReview", "subjectaccessreviews", *right, "")
            for words, right in OPERATORS_RIGHTS.items()
        }
    except ApiError as error:
        if error.status == FORBIDDEN:
            return None
        raise


async def _may(client: Client, kind: str, path: str, verb: str, resource: str, namespace: str) -> bool:  # noqa: PLR0913, PLR0917 - a review has as many fields
    name, _, subresource = resource.partition("/")
    attributes = {"group": GROUP, "verb": verb, "resource": name, "subresource": subresource, "namespace": namespace}
    spec = {"resourceAttributes": attributes, **({} if kind.startswith("Self") else {"user": OPERATOR})}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = await client.create(f"{REVIEWS}/{path}", review)
    return bool(answer["status"]["allowed"])
