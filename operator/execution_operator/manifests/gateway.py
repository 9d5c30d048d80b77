"""The gateway's own account. It finds Executions; whatever changes them is done with the callers' tokens."""

from typing import Any

from execution_operator.api import GROUP
from execution_operator.manifests import roles

NAME = "execution-operator-gateway"


def gateway_access() -> list[dict[str, Any]]:
    """Return the account and all that it may do."""
    here = {"name": NAME, "namespace": roles.NAME}
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": here},
        roles.role(NAME, roles.rule(GROUP, "executions", *roles.READ)),
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAME},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", **here}],
        },
    ]
