"""The facts that the doctor checks, read from the API server."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from execution_operator.plugin.client import ROOT, ApiError, Client, Json, executions_path
from execution_operator.plugin.values import GROUP

OPERATOR_SELECTOR = "app.kubernetes.io/name=execution-operator"
"""The label selector that finds the operator's Deployments in all namespaces."""

ADMISSION_PATH = "/apis/admissionregistration.k8s.io/v1"
"""The path of the admission policies."""

AUTHORIZATION_PATH = "/apis/authorization.k8s.io/v1"
"""The path of the access reviews."""

EXECUTION_CRD_PATH = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/executions.{GROUP}"
"""The path of the CRD of Executions."""

DEPLOYMENTS_PATH = "/apis/apps/v1/deployments"
"""The path of the Deployments of all namespaces."""

MAX_EXECUTIONS = "500"
"""The number of Executions that are read."""

USER_PERMISSIONS = {
    "read Executions": ("get", "executions"),
    "change Executions": ("patch", "executions"),
    "terminate": ("create", "executions/terminate"),
}
"""The permissions that a user needs: the verb and the resource of each action."""

OPERATOR_PERMISSIONS = {
    "watch Executions": ("watch", "executions"),
    "write their status": ("patch", "executions/status"),
    "watch Organizations": ("watch", "organizations"),
    "write the status of Organizations": ("patch", "organizations/status"),
}
"""The permissions that the operator's account needs: the verb and the resource of each action."""


@dataclass(frozen=True)
class OperatorDeployment:
    """A Deployment of the operator.

    Attributes:
        path: Its namespace and name, as `namespace/name`.
        image: The image of its first container.
        version_label: The value of its label `app.kubernetes.io/version`. Empty where it has none.
        permissions: Whether its account may perform each action. None where the user may not read that.
    """

    path: str
    image: str
    version_label: str
    permissions: dict[str, bool] | None


@dataclass(frozen=True)
class Facts:
    """The facts about one namespace and its cluster. None means that the user may not read a fact."""

    namespace: str
    version: str
    served_resources: set[str]
    execution_crd: Json | None
    namespace_exists: bool | None
    user_permissions: dict[str, bool]
    validating_policies: set[str] | None
    validating_bindings: set[str] | None
    mutating_policies: set[str] | None
    mutating_bindings: set[str] | None
    organizations: list[Json] | None
    executions: list[Json] | None
    operators: list[OperatorDeployment] | None


async def gather(client: Client) -> Facts:
    """Read all facts concurrently.

    Raises:
        ApiError: The API server does not answer, or refuses a call for another reason than a missing permission.
    """
    version = await client.get("/version")  # fails here, before the other calls, if the API server does not answer
    reads = {
        "served_resources": _served_resources(client),
        "execution_crd": _get(client, EXECUTION_CRD_PATH),
        "namespace_exists": _namespace_exists(client),
        "user_permissions": _user_permissions(client),
        "validating_policies": _names(client, f"{ADMISSION_PATH}/validatingadmissionpolicies"),
        "validating_bindings": _names(client, f"{ADMISSION_PATH}/validatingadmissionpolicybindings"),
        "mutating_policies": _names(client, f"{ADMISSION_PATH}/mutatingadmissionpolicies"),
        "mutating_bindings": _names(client, f"{ADMISSION_PATH}/mutatingadmissionpolicybindings"),
        "organizations": _items(client, f"{ROOT}/organizations"),
        "executions": _items(client, executions_path(client.namespace), limit=MAX_EXECUTIONS),
        "operators": _operators(client),
    }
    facts: dict[str, Any] = dict(zip(reads, await asyncio.gather(*reads.values()), strict=True))
    return Facts(namespace=client.namespace, version=version["gitVersion"], **facts)


async def _get(client: Client, path: str, **query: str) -> Json | None:
    """Return an object; None where the user may not read it, or where it does not exist."""
    try:
        return await client.get(path, **query)
    except ApiError as error:
        if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return None
        raise


async def _items(client: Client, path: str, **query: str) -> list[Json] | None:
    """Return the objects of a list; None where the user may not read it, or where it does not exist."""
    found = await _get(client, path, **query)
    return None if found is None else found["items"]


async def _names(client: Client, path: str) -> set[str] | None:
    """Return the names of all objects of a kind.

    Returns:
        The names. Empty where the API server does not serve the kind, None where the user may not list it.
    """
    try:
        found = await client.get(path)
    except ApiError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return None
        if error.status == HTTPStatus.NOT_FOUND:
            return set()
        raise
    return {item["metadata"]["name"] for item in found["items"]}


async def _served_resources(client: Client) -> set[str]:
    found = await _get(client, ROOT)
    return {resource["name"] for resource in found["resources"]} if found else set()


async def _namespace_exists(client: Client) -> bool | None:
    try:
        await client.get(f"/api/v1/namespaces/{client.namespace}")
    except ApiError as error:
        return False if error.status == HTTPStatus.NOT_FOUND else None
    return True


async def _user_permissions(client: Client) -> dict[str, bool]:
    answers = [_allowed(client, permission, client.namespace) for permission in USER_PERMISSIONS.values()]
    return dict(zip(USER_PERMISSIONS, await asyncio.gather(*answers), strict=True))


async def _operators(client: Client) -> list[OperatorDeployment] | None:
    deployments = await _items(client, DEPLOYMENTS_PATH, labelSelector=OPERATOR_SELECTOR)
    return None if deployments is None else [await _operator(client, deployment) for deployment in deployments]


async def _operator(client: Client, deployment: Json) -> OperatorDeployment:
    meta, pod = deployment["metadata"], deployment["spec"]["template"]["spec"]
    account = f"system:serviceaccount:{meta['namespace']}:{pod.get('serviceAccountName', 'default')}"
    return OperatorDeployment(
        f"{meta['namespace']}/{meta['name']}",
        pod["containers"][0]["image"],
        meta["labels"].get("app.kubernetes.io/version", ""),
        await _operator_permissions(client, account),
    )


async def _operator_permissions(client: Client, account: str) -> dict[str, bool] | None:
    """Return whether an account may perform each action of the operator; None where the user may not read that."""
    answers = [_allowed(client, permission, client.namespace, account) for permission in OPERATOR_PERMISSIONS.values()]
    try:
        return dict(zip(OPERATOR_PERMISSIONS, await asyncio.gather(*answers), strict=True))
    except ApiError as error:
        if error.status == HTTPStatus.FORBIDDEN:
            return None
        raise


async def _allowed(client: Client, permission: tuple[str, str], namespace: str, user: str = "") -> bool:
    """Ask the API server whether a user has a permission.

    Args:
        client: The connection.
        permission: The verb and the resource.
        namespace: The namespace. It does not apply to Organizations, which have none.
        user: The user. Empty means the caller.
    """
    verb, (resource, _, subresource) = permission[0], permission[1].partition("/")
    scope = {} if resource == "organizations" else {"namespace": namespace}
    attributes = {"group": GROUP, "verb": verb, "resource": resource, "subresource": subresource, **scope}
    kind = "SubjectAccessReview" if user else "SelfSubjectAccessReview"
    spec = {"resourceAttributes": attributes, **({"user": user} if user else {})}
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    answer = await client.create(f"{AUTHORIZATION_PATH}/{kind.lower()}s", review)
    return bool(answer["status"]["allowed"])
