"""Who may do what: the operator's own account, and three roles for people and GitOps accounts."""

from typing import Any

from execution_operator.api import GROUP

NAME = "execution-operator"
"""The operator's account, roles and namespace."""

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
"""What the operator does in the whole cluster, always."""

EXECUTION_RULES = (
    rule(GROUP, "executions", *READ, "patch", "delete"),  # for deletionPolicy and ttlSecondsAfterFinished
    rule(GROUP, "executions/status", "patch"),
    rule("", "events", "create"),
)
"""What the operator does wherever it works: in the whole cluster, or in the namespaces that it is bound to."""

OPERATOR_NAMESPACE_RULES = (
    rule("", "secrets", "list", "watch"),  # those that Organizations name are here, and nowhere else
    rule("coordination.k8s.io", "leases", "get", "create", "patch"),  # who leads
)
"""What the operator does in its own namespace."""


def role(name: str, *rules: Rule, aggregate_to: tuple[str, ...] = ()) -> Object:
    """Return a ClusterRole. Kubernetes' own roles that it aggregates to include it."""
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{of}": "true" for of in aggregate_to}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "rules": list(rules),
    }


VIEWER = role("execution-viewer", rule(GROUP, "executions", *READ), aggregate_to=("view",))
EDITOR = role("execution-editor", rule(GROUP, "executions", *READ, *WRITE), aggregate_to=("edit", "admin"))
TERMINATOR = role("execution-terminator", rule(GROUP, "executions/terminate", "create"), aggregate_to=("edit", "admin"))
"""`executions/terminate` is no resource: the name stands for a permission, which the policies ask for."""


def account(name: str, namespace: str) -> Object:
    """Return the operator's ServiceAccount. Pods ask for its token themselves."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, "automountServiceAccountToken": False}


def cluster_access(name: str, namespace: str) -> list[Object]:
    """Return what the operator may do in the whole cluster, in any mode."""
    who = account(name, namespace)
    return [role(name, *CLUSTER_RULES), binding("ClusterRoleBinding", {"name": name}, ("ClusterRole", name), who)]


def execution_role(name: str) -> Object:
    """Return the role that is bound wherever the operator works."""
    return role(name + "-executions", *EXECUTION_RULES)


def execution_access(name: str, namespace: str, where: str | None = None) -> Object:
    """Bind that role in one namespace, or in the whole cluster."""
    bound = name + "-executions"
    kind, place = ("RoleBinding", {"namespace": where}) if where else ("ClusterRoleBinding", {})
    return binding(kind, {"name": bound, **place}, ("ClusterRole", bound), account(name, namespace))


def namespace_access(name: str, namespace: str) -> list[Object]:
    """Return what the operator may do in its own namespace."""
    here = {"name": name, "namespace": namespace}
    return [
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": here, "rules": list(OPERATOR_NAMESPACE_RULES)},
        binding("RoleBinding", here, ("Role", name), account(name, namespace)),
    ]


def operator_access() -> list[Object]:
    """Return the operator's account and all that it may do, in the whole cluster."""
    return [
        account(NAME, NAME),
        *cluster_access(NAME, NAME),
        execution_role(NAME),
        execution_access(NAME, NAME),
        *namespace_access(NAME, NAME),
    ]


def user_roles() -> list[Object]:
    """Return the roles for those who use Executions."""
    return [VIEWER, EDITOR, TERMINATOR]


def binding(kind: str, metadata: Object, role: tuple[str, str], account: Object) -> Object:
    """Bind a role, given by kind and name, to an account."""
    of, name = role
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": of, "name": name},
        "subjects": [{"kind": "ServiceAccount", **account["metadata"]}],
    }
