"""Who may do what: the operator's own account, and three roles for people and GitOps accounts."""

from typing import Any

from execution_operator.api import GROUP

NAME = "execution-operator"
"""The operator's account, roles and namespace."""

Rule = dict[str, list[str]]

READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete")


def rule(group: str, resource: str, *verbs: str) -> Rule:
    """Return the permission to use the verbs on one resource."""
    return {"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}


OPERATOR_RULES = (
    rule(GROUP, "executions", *READ, "patch", "delete"),  # for deletionPolicy and ttlSecondsAfterFinished
    rule(GROUP, "executions/status", "patch"),
    rule(GROUP, "organizations", *READ),
    rule(GROUP, "organizations/status", "patch"),
    rule("", "events", "create"),
)
"""What the operator does in the whole cluster."""

OPERATOR_NAMESPACE_RULES = (
    rule("", "secrets", *READ),
    rule("coordination.k8s.io", "leases", "get", "create", "update", "patch"),
)
"""What the operator does in its own namespace: the Secrets that Organizations name are there, and nowhere else."""


def role(name: str, *rules: Rule, aggregate_to: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a ClusterRole. Kubernetes' own roles that it aggregates to include it."""
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{of}": "true" for of in aggregate_to}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "rules": list(rules),
    }


VIEWER = role("execution-viewer", rule(GROUP, "executions", *READ), aggregate_to=("view",))
EDITOR = role("execution-editor", rule(GROUP, "executions", *READ, *WRITE), aggregate_to=("edit", "admin"))
TERMINATOR = role("execution-terminator", rule(GROUP, "executions/terminate", "create"), aggregate_to=("edit", "admin"))
"""`executions/terminate` is no resource: the name stands for a permission, which the policies ask for."""


def operator_access() -> list[dict[str, Any]]:
    """Return the operator's account and all that it may do."""
    here = {"name": NAME, "namespace": NAME}
    rbac = "rbac.authorization.k8s.io"
    account = {"kind": "ServiceAccount", **here}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
        role(NAME, *OPERATOR_RULES),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME},
            "subjects": [account],
        },
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": here, "rules": list(OPERATOR_NAMESPACE_RULES)},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": here,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": NAME},
            "subjects": [account],
        },
    ]


def user_roles() -> list[dict[str, Any]]:
    """Return the roles for those who use Executions."""
    return [VIEWER, EDITOR, TERMINATOR]
