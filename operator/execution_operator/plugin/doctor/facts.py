"""The facts that the doctor checks. None means that the user may not read a fact: it is unknown."""

import asyncio
from dataclasses import dataclass
from typing import Any

from execution_operator.plugin.client import ROOT, ApiError, Client, Json, executions
from execution_operator.plugin.values import GROUP

FORBIDDEN, NOT_FOUND = 403, 404
OPERATOR = "app.kubernetes.io/name=execution-operator"
"""The label of the operator's Deployment, whoever installed it, and where."""

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
REVIEWS = "/apis/authorization.k8s.io/v1"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/executions.{GROUP}"
DEPLOYMENTS = "/apis/apps/v1/deployments"

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
    "write the status of Organizations": ("patch", "organizations/status"),
}
"""What the operator's account needs."""


@dataclass(frozen=True)
class Operator:
    """An installation. `image`: of its container; `rights`: what its account may do, None where that can't be seen."""

    path: str
    image: str
    label: str
    rights: dict[str, bool] | None


@dataclass(frozen=True)
class Facts:
    """All facts. None means that the user may not read a fact."""

    namespace: str
    version: str
    served: set[str]
    crd: Json | None
    exists: bool | None
    rights: dict[str, bool]
    policies: set[str] | None
    bindings: set[str] | None
    stamps: set[str] | None
    stamp_bindings: set[str] | None
    organizations: list[Json] | None
    executions: list[Json] | None
    operators: list[Operator] | None


async def gather(client: Client) -> Facts:
    """Read all facts at the same time."""
    version = await client.get("/version")  # an API server that does not answer ends it here
    looks = {
        "served": _served(client),
        "crd": _get(client, CRD),
        "exists": _exists(client),
        "rights": _rights(client),
        "policies": _names(client, f"{ADMISSION}/validatingadmissionpolicies"),
        "bindings": _names(client, f"{ADMISSION}/validatingadmissionpolicybindings"),
        "stamps": _names(client, f"{ADMISSION}/mutatingadmissionpolicies"),
        "stamp_bindings": _names(client, f"{ADMISSION}/mutatingadmissionpolicybindings"),
        "organizations": _items(client, f"{ROOT}/organizations"),
        "executions": _items(client, executions(client.namespace), limit="500"),
        "operators": _operators(client),
    }
    found: dict[str, Any] = dict(zip(looks, await asyncio.gather(*looks.values()), strict=True))
    return Facts(namespace=client.namespace, version=version["gitVersion"], **found)


async def _get(client: Client, path: str, **query: str) -> Json | None:
    """Return an object; None where the user may not read it, or where it does not exist."""
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
    """Return the names of all objects of a kind; none where the API server does not serve the kind."""
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
    answers = [_may(client, right, client.namespace) for right in OWN_RIGHTS.values()]
    return dict(zip(OWN_RIGHTS, await asyncio.gather(*answers), strict=True))


async def _operators(client: Client) -> list[Operator] | None:
    found = await _items(client, DEPLOYMENTS, labelSelector=OPERATOR)
    return None if found is None else [await _operator(client, each) for each in found]


async def _operator(client: Client, deployment: Json) -> Operator:
    meta, pod = deployment["metadata"], deployment["spec"]["template"]["spec"]
    account = f"system:serviceaccount:{meta['namespace']}:{pod.get('serviceAccountName', 'default')}"
    return Operator(
        f"{meta['namespace']}/{meta['name']}",
        pod["containers"][0]["image"],
        meta["labels"].get("app.kubernetes.io/version", ""),
        await _operators_rights(client, account),
    )


async def _operators_rights(client: Client, account: str) -> dict[str, bool] | None:
    answers = [_may(client, right, client.namespace, account) for right in OPERATORS_RIGHTS.values()]
    try:
        return dict(zip(OPERATORS_RIGHTS, await asyncio.gather(*answers), strict=True))
    except ApiError as error:
        if error.status == FORBIDDEN:
            return None
        raise


async def _may(client: Client, right: tuple[str, str], namespace: str, user: str = "") -> bool:
    """Return whether a user (default: the caller) has a right in a namespace."""
    verb, (name, _, subresource) = right[0], right[1].partition("/")
    where = {} if name == "organizations" else {"namespace": namespace}
    attributes = {"group": GROUP, "verb": verb, "resource": name, "subresource": subresource, **where}
    kind = "SubjectAccessReview" if user else "SelfSubjectAccessReview"
    spec = {"resourceAttributes": attributes, **({"user": user} if user else {})}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = await client.create(f"{REVIEWS}/{kind.lower()}s", review)
    return bool(answer["status"]["allowed"])
