"""The permissions of users: the expected table of `docs/security.md`, and its actions on a real API server."""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.controlplane import ControlPlane
from tests.support.dry_runs import (
    EXECUTIONS,
    NO_REQUEST,
    OTHER_REASON,
    REASON,
    DryRun,
    applying,
    applying_status,
    creating,
    deleting,
    editing,
    patching,
    patching_status,
    replacing,
    replacing_status,
)
from tests.support.installed import CHECKOUT, Tenant, execution
from tests.support.kube import GROUP, Answer, Json

DOCUMENT = CHECKOUT / "docs" / "security.md"
BEGIN, END = "<!-- rights: begin -->", "<!-- rights: end -->"

RBAC = "/apis/rbac.authorization.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
OPERATOR = "system:serviceaccount:execution-operator:execution-operator"
GATEWAY = "system:serviceaccount:execution-operator:execution-operator-gateway"


class Result(StrEnum):
    """The result of an action."""

    DONE = "yes"
    RBAC = "no"
    POLICY = "policy"

    @classmethod
    def of(cls, answer: Answer) -> "Result":
        """Read an answer: done, refused for want of a right, or by our policy.

        Raises:
            ValueError: It is neither: what was tried makes no sense there.
        """
        if answer.accepted:
            return cls.DONE
        if answer.status == FORBIDDEN and "ValidatingAdmissionPolicy 'execution-" in answer.message:
            return cls.POLICY
        if answer.status == FORBIDDEN and (" cannot " in answer.message or "attempting to grant" in answer.message):
            return cls.RBAC
        raise ValueError(f"neither done nor denied: {answer.status} {answer.message}")


FORBIDDEN = 403


def _grant(role: str) -> DryRun:
    """Bind a ClusterRole to another user. RBAC lets users grant only permissions that they have."""
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "accomplice"}
    body = {
        "metadata": {"name": "grant"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [subject],
    }
    return DryRun("POST", f"{RBAC}/namespaces/{{namespace}}/rolebindings", body)


def _organization(name: str, *namespaces: str) -> Json:
    return {
        "apiVersion": "control-plane.kubiya.ai/v1alpha1",
        "kind": "Organization",
        "metadata": {"name": name},
        "spec": {"namespaces": namespaces},
    }


READ = {
    "read an Execution": DryRun("GET", f"{EXECUTIONS}/quiet"),
    "list those of the namespace": DryRun("GET", EXECUTIONS),
}
READ_ALL = {"list those of all namespaces": DryRun("GET", f"{GROUP}/executions")}
CREATE = {
    "create one": creating(),
    "create one by server-side apply": applying("applied"),
}
REPLACE = {
    "replace one": replacing("quiet"),
    "withdraw a request by replacing": replacing("asked"),
}
DELETE = {"delete one": deleting("asked")}
DELETE_ALL = {"delete all of the namespace at once": DryRun("DELETE", EXECUTIONS)}
PATCH = {
    "annotate": patching("asked", {"metadata": {"annotations": {"example.com/x": "z"}}}),
    "add a finalizer": patching("asked", {"metadata": {"finalizers": ["example.com/x"]}}),
    "set `ttlSecondsAfterFinished`": patching("quiet", {"spec": {"ttlSecondsAfterFinished": 60}}),
    "apply what is there": applying("quiet"),
    "set the `deletionPolicy` that is the default": patching("quiet", {"spec": {"deletionPolicy": "Orphan"}}),
    "withdraw a request": patching("asked", {"spec": NO_REQUEST}),
    "withdraw a request by JSON patch": editing("asked", {"op": "remove", "path": "/spec/terminate"}),
}
TERMINATE_BY_PATCH = {
    "**terminate**": patching("quiet", {"spec": REASON}),
    "terminate by server-side apply": applying("quiet", **REASON),
    "terminate by JSON patch": editing("quiet", {"op": "add", "path": "/spec/terminate", "value": REASON["terminate"]}),
    "change the reason of a request": patching("asked", {"spec": OTHER_REASON}),
    "change its grace period": patching("asked", {"spec": {"terminate": {"gracePeriodSeconds": 60}}}),
    "have it terminated when it is deleted": patching("quiet", {"spec": {"deletionPolicy": "Terminate"}}),
}
TERMINATE_BY_REPLACING = {"terminate by replacing": replacing("quiet", **REASON)}
TERMINATE_BY_CREATING = {
    "terminate at creation": creating(**REASON),
    "terminate by an apply that creates": applying("applied", **REASON),
    "create one that is terminated when it is deleted": creating(deletionPolicy="Terminate"),
}
STATUS = {
    "write the status": patching_status("quiet", phase="cancelled"),
    "apply the status": applying_status("quiet", phase="cancelled"),
}
REPLACE_STATUS = {"replace the status": replacing_status("quiet", phase="cancelled")}
ORGANIZATIONS = {"list Organizations": DryRun("GET", f"{GROUP}/organizations")}
SECRETS = {"list the operator's Secrets": DryRun("GET", "/api/v1/namespaces/execution-operator/secrets")}
GRANT = {"give `execution-terminator` to another": _grant("execution-terminator")}
GOVERN = {
    "create an Organization": DryRun("POST", f"{GROUP}/organizations", _organization("one-more", "mine")),
    "claim a namespace for an Organization": DryRun(
        "PATCH", f"{GROUP}/organizations/somebodys", {"spec": {"namespaces": ["mine"]}}, "application/merge-patch+json"
    ),
    "give `cluster-admin` to another": _grant("cluster-admin"),
    "take a policy out of force": DryRun(
        "DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/execution-terminate-permission"
    ),
    "delete the stamp": DryRun("DELETE", f"{ADMISSION}/mutatingadmissionpolicies/execution-terminate-requester"),
}

TERMINATE = TERMINATE_BY_PATCH | TERMINATE_BY_REPLACING | TERMINATE_BY_CREATING
EDIT = CREATE | REPLACE | DELETE | PATCH
ACTIONS = (
    READ | READ_ALL | EDIT | DELETE_ALL | TERMINATE | STATUS | REPLACE_STATUS | ORGANIZATIONS | SECRETS | GRANT | GOVERN
)

VIEWER = set(READ)
EDITOR = {*READ, *EDIT}
BOTH = {*EDITOR, *TERMINATE}
USERS: dict[str, tuple[str, set[str], set[str]]] = {
    "nobody": ("nobody", set(), set()),
    "viewer": ("viewer", VIEWER, set()),
    "terminator": ("terminator", set(), set()),
    "editor": ("editor", EDITOR, set(TERMINATE)),
    "editor, terminator elsewhere": ("elsewhere", EDITOR, set(TERMINATE)),
    "editor and terminator": ("alice", BOTH, set()),
    "ServiceAccount with both": ("system:serviceaccount:policies:pipeline", BOTH, set()),
    "`view`": ("aggregated-view", VIEWER, set()),
    "`edit`": ("aggregated-edit", BOTH, set()),
    "`admin`": ("aggregated-admin", BOTH | set(GRANT), set()),
    "gateway": (GATEWAY, VIEWER | set(READ_ALL), set()),
    "operator": (
        OPERATOR,
        {*READ, *READ_ALL, *PATCH, *DELETE, *STATUS, *ORGANIZATIONS, *SECRETS},
        set(TERMINATE_BY_PATCH),
    ),
    "cluster administrator": ("root", set(ACTIONS), set()),
}
"""The columns: the user's name, the allowed actions, and the actions that only the policies deny."""

EXPECTED = {
    (action, column): Result.DONE if action in may else Result.POLICY if action in stopped else Result.RBAC
    for action in ACTIONS
    for column, (_, may, stopped) in USERS.items()
}


def prepare(control_plane: ControlPlane) -> Tenant:
    """Make the users, and Executions in the namespace `policies`: `quiet` has no request, `asked` one of alice's."""
    tenant = Tenant(control_plane, "policies")
    control_plane.kubectl("apply", "-k", CHECKOUT / "deploy" / "kustomize" / "gateway")
    tenant.kubectl("create", "serviceaccount", "pipeline")
    tenant.bind("viewer", "execution-viewer")
    tenant.bind("editor", "execution-editor")
    tenant.bind("terminator", "execution-terminator")
    for user in ("alice", "bob", "system:serviceaccount:policies:pipeline"):
        tenant.bind(user, "execution-editor", "execution-terminator")
    tenant.bind("elsewhere", "execution-editor")
    Tenant(control_plane, "policies-elsewhere").bind("elsewhere", "execution-terminator")
    for role in ("view", "edit", "admin"):
        tenant.bind(f"aggregated-{role}", *sorted(aggregated(control_plane, role)))
    control_plane.kubectl("create", "clusterrolebinding", "root", "--clusterrole=cluster-admin", "--user=root")
    control_plane.kube.call("POST", f"{GROUP}/organizations", _organization("somebodys", "team-x"))
    tenant.create("quiet")
    manifest = execution("asked", {"example.com/x": "y"}, **REASON)
    tenant.kubectl("create", "-f", "-", user="alice", manifest=manifest)
    return tenant


def aggregated(control_plane: ControlPlane, name: str) -> set[str]:
    """Return the ClusterRoles that Kubernetes' own role is made of, as its controller would: by its selectors."""
    role = control_plane.kube.call("GET", f"{RBAC}/clusterroles/{name}")
    if "aggregationRule" not in role:
        return {name}
    found = set[str]()
    for selector in role["aggregationRule"]["clusterRoleSelectors"]:
        labels = ",".join(f"{key}={value}" for key, value in selector["matchLabels"].items())
        parts = control_plane.kube.call("GET", f"{RBAC}/clusterroles", labelSelector=labels)["items"]
        found |= {each for part in parts for each in aggregated(control_plane, part["metadata"]["name"])}
    return found


def table(cells: Mapping[tuple[str, str], Any]) -> str:
    """Render what was seen."""
    lines = [f"| | {' | '.join(USERS)} |", f"|---|{'---|' * len(USERS)}"]
    return "\n".join(
        [*lines, *(f"| {action} | {' | '.join(str(cells[action, of]) for of in USERS)} |" for action in ACTIONS)]
    )


def documented(document: Path = DOCUMENT) -> str:
    """Return the document's table."""
    return _parts(document)[1].strip()


def write(cells: Mapping[tuple[str, str], Any], document: Path = DOCUMENT) -> None:
    """Write the table into the document."""
    before, _, after = _parts(document)
    document.write_text(f"{before}{BEGIN}\n{table(cells)}\n{END}{after}")


def _parts(document: Path) -> tuple[str, str, str]:
    before, rest = document.read_text().split(BEGIN)
    inside, after = rest.split(END)
    return before, inside, after
