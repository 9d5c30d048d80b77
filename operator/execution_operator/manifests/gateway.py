"""The gateway's account and Service.

The account may only read Executions. The gateway makes changes with the tokens of its callers.
"""

from typing import Any

from execution_operator.api import GROUP
from execution_operator.manifests import roles
from execution_operator.manifests.workload import PORT

Object = dict[str, Any]

NAME = "execution-operator-gateway"
ARGUMENTS = ("gateway", "--log-format=json", "--host=0.0.0.0", f"--port={PORT}")


def gateway_access(name: str = NAME, namespace: str = roles.NAME) -> list[Object]:
    """Return the gateway's ServiceAccount, ClusterRole and ClusterRoleBinding."""
    account = roles.account(name, namespace)
    return [
        account,
        roles.role(name, roles.rule(GROUP, "executions", *roles.READ)),
        roles.binding("ClusterRoleBinding", {"name": name}, ("ClusterRole", name), account),
    ]


def service(metadata: Object, selector: Object, name: str, port: Any) -> Object:
    """Return the gateway's Service, with the given name and number of its port."""
    ports = [{"name": name, "port": port, "targetPort": "http"}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector, "ports": ports}}
