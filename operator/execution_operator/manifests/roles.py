"""RBAC: the operator's ServiceAccount and roles, and three ClusterRoles for people and GitOps accounts."""

from typing import Any

from execution_operator.api import GROUP

NAME = "execution-operator"
"""The default name of the operator's ServiceAccount, roles and namespace."""

RBAC = "rbac.authorization.k8s.io"

Rule = dict[str, list[str]]
Object = dict[str, Any]

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete")


def rule(group: str, resource: str, *verbs: str) -> Rule:
    """Return the permission to use the verbs on one resource."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


CLUSTER_RULES = (
    rule(GROUP, "organizations", "list", "watch"),
    rule(GROUP, "organizations/status", "patch"),
)
"""The permissions that the operator always needs in the whole cluster."""

EXECUTION_RULES = (
    rule(GROUP, "executions", *READ, "patch", "delete"),  # for deletionPolicy and ttlSecondsAfterFinished
    rule(GROUP, "executions/status", "patch"),
    rule("", "events", "create"),
)
"""The permissions that the operator needs in each namespace with Executions: in the whole cluster, or in some."""

OPERATOR_NAMESPACE_RULES = (
    rule("", "secrets", "list", "watch"),  # Organizations refer to Secrets of this namespace only
    rule("coordination.k8s.io", "leases", "get", "create", "patch"),  # for leader election
)
"""The permissions that the operator needs in its own namespace."""


def role(name: str, *rules: Rule, aggregate_to: tuple[str, ...] = ()) -> Object:
    """Return a ClusterRole. It is aggregated to Kubernetes' roles with the given names, such as `edit`."""
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{each}": "true" for each in aggregate_to}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "rules": list(rules),
    }


VIEWER = role("execution-viewer", rule(GROUP, "executions", *READ), aggregate_to=("view",))
EDITOR = role("execution-editor", rule(GROUP, "executions", *READ, *WRITE), aggregate_to=("edit", "admin"))
TERMINATOR = role("execution-terminator", rule(GROUP, "executions/terminate", "create"), aggregate_to=("edit", "admin"))
"""`executions/terminate` is not a subresource. It is the name of a permission that the admission policies check."""


def account(name: str, namespace: str) -> Object:
    """Return a ServiceAccount. Its token is not mounted by default; each pod that needs it mounts it explicitly."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def cluster_access(name: str, namespace: str) -> list[Object]:
    """Return the ClusterRole and the binding for CLUSTER_RULES."""
    subject = account(name, namespace)
    return [role(name, *CLUSTER_RULES), binding("ClusterRoleBinding", {"name": name}, ("ClusterRole", name), subject)]


def execution_role(name: str) -> Object:
    """Return the ClusterRole with EXECUTION_RULES."""
    return role(name + "-executions", *EXECUTION_RULES)


def execution_access(name: str, namespace: str, where: str | None = None) -> Object:
    """Return the binding of that ClusterRole.

    Args:
        name: The name of the operator.
        namespace: The namespace of the operator.
        where: The namespace with Executions; None for the whole cluster.
    """
    bound = name + "-executions"
    kind, place = ("RoleBinding", {"namespace": where}) if where else ("ClusterRoleBinding", {})
    return binding(kind, {"name": bound, **place}, ("ClusterRole", bound), account(name, namespace))


def namespace_access(name: str, namespace: str) -> list[Object]:
    """Return the Role and the binding for OPERATOR_NAMESPACE_RULES."""
    here = {"name": name, "namespace": namespace}
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": here, "rules": list(OPERATOR_NAMESPACE_RULES)},
        binding("RoleBinding", here, ("Role", name), account(name, namespace)),
    ]


def operator_access() -> list[Object]:
    """Return the operator's ServiceAccount with all its roles and bindings, for the whole cluster."""
    return [
        account(NAME, NAME),
        *cluster_access(NAME, NAME),
        execution_role(NAME),
        execution_access(NAME, NAME),
        *namespace_access(NAME, NAME),
    ]


def user_roles() -> list[Object]:
    """Return the ClusterRoles for users of Executions."""
    return [VIEWER, EDITOR, TERMINATOR]


def binding(kind: str, metadata: Object, role: tuple[str, str], account: Object) -> Object:
    """Return the binding of a role, given by kind and name, to a ServiceAccount."""
    role_kind, name = role
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": role_kind, "name": name},
        "subjects": [{"kind": "ServiceAccount", **account["metadata"]}],
    }
