"""The gateway: its own account, which finds Executions; whatever changes them is done with the callers' tokens."""

from typing import Any

from execution_operator.api import GROUP
from execution_operator.manifests import roles
from execution_operator.manifests.workload import PORT

Object = dict[str, Any]

NAME = "execution-operator-gateway"
ARGUMENTS = ("gateway", "--log-format=json", "--host=0.0.0.0", f"--port={PORT}")


def gateway_access(name: str = NAME, namespace: str = roles.NAME) -> list[Object]:
    """Return the account and all that it may do."""
    account = roles.account(name, namespace)
    return [
        account,
        roles.role(name, roles.rule(GROUP, "executions", *roles.READ)),
        roles.binding("ClusterRoleBinding", {"name": name}, ("ClusterRole", name), account),
    ]


def service(metadata: Object, selector: Object, name: str, port: Any) -> Object:
    """Return the Service that callers reach the gateway by, with its port's name and number."""
    ports = [{"name": name, "port": port, "targetPort": "http"}]
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": selector, "ports": ports}}
