"""Each policy, each part of a policy and each role is needed: without it, a request has another result."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from execution_operator.manifests import gateway, policies, roles
from tests.support.dry_runs import REASON, DryRun, creating, patching, replacing, stamped
from tests.support.installed import Tenant, wait_until_enforced
from tests.support.kube import Answer, Json, Kube
from tests.support.rights import ACTIONS, ADMISSION, GATEWAY, OPERATOR, RBAC
from tests.support.waiting import wait_for

PATHS = {
    "ValidatingAdmissionPolicy": f"{ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{ADMISSION}/validatingadmissionpolicybindings",
    "MutatingAdmissionPolicy": f"{ADMISSION}/mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": f"{ADMISSION}/mutatingadmissionpolicybindings",
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "Role": f"{RBAC}/namespaces/execution-operator/roles",
    "RoleBinding": f"{RBAC}/namespaces/execution-operator/rolebindings",
}
SHIPPED: tuple[Json, ...] = (
    *policies.permission(),
    *policies.requester_guard(),
    *policies.advice(),
    *policies.requester_stamp(),
    *(of for of in (*roles.operator_access(), *roles.user_roles(), *gateway.gateway_access()) if of["kind"] in PATHS),
)


def url(content: Json) -> str:
    return f"{PATHS[content['kind']]}/{content['metadata']['name']}"


ExecutionView = str | None
Look = Callable[[Answer], ExecutionView]
Break = Callable[[Json], None]


def verdict(answer: Answer) -> ExecutionView:
    return "done" if answer.accepted else "denied"


def name(answer: Answer) -> ExecutionView:
    """The recorded requester, or None."""
    if not answer.accepted:
        return "denied"
    recorded: ExecutionView = answer.content["metadata"].get("annotations", {}).get(REQUESTER_ANNOTATION)
    return recorded


def warned(answer: Answer) -> ExecutionView:
    return "warned" if any("execution-terminate-advice" in words for words in answer.warnings) else "not warned"


@dataclass(frozen=True)
class Part:
    """Something that is shipped, how it is broken (None: it is removed), and what shows that.

    Attributes:
        kind, name: Of the object.
        breaks: Changes it.
        tried, user: What somebody does.
        look: What is seen of the answer.
        sound, broken: What is seen with the part, and without it.
        beside: Removed before, since it would hide the part.
    """

    kind: str
    name: str
    breaks: Break | None
    tried: DryRun
    user: str
    look: Look
    sound: ExecutionView
    broken: ExecutionView
    beside: tuple[tuple[str, str], ...] = ()


def reach(content: Json, *path: str | int) -> Json:
    node = content
    for step in path:
        node = node[step]  # type: ignore[index]  # lists are reached into by numbers
    return node


def setting(*path: str | int, to: object) -> Break:
    *parents, last = path

    def change(content: Json) -> None:
        reach(content, *parents)[last] = to  # type: ignore[index]  # as above

    return change


def swapping(old: str, new: str, *path: str | int) -> Break:
    """Change an expression at one place."""
    *parents, last = path

    def change(content: Json) -> None:
        node = reach(content, *parents)
        assert node[last].count(old) == 1  # type: ignore[index]
        node[last] = node[last].replace(old, new)  # type: ignore[index]

    return change


VALIDATING, MUTATING, BINDING = "ValidatingAdmissionPolicy", "MutatingAdmissionPolicy", "Binding"
PERMISSION, GUARD, ADVICE, STAMP = (
    "execution-terminate-permission",
    "execution-terminate-requester-guard",
    "execution-terminate-advice",
    "execution-terminate-requester",
)
UNSTAMPED = ((MUTATING + BINDING, STAMP),)
RULE = ("spec", "matchConstraints", "resourceRules", 0)
TERMINATES = ("spec", "matchConditions", 0, "expression")
GUARDED = ("spec", "validations", 0, "expression")
DUE = ("spec", "variables", -1, "expression")

ASKED = ACTIONS["**terminate**"]
AT_CREATION = creating(**REASON)
ON_DELETION = patching("quiet", {"spec": {"deletionPolicy": "Terminate"}})
FORGED = patching("quiet", {"spec": REASON, **stamped("eve")})
RENAMED = patching("asked", stamped("eve"))
KEPT = replacing("asked", **REASON)
DROPPED = patching("asked", {"spec": {"terminate": None}})
LATE = patching("closed", {"spec": REASON})

PARTS = {
    "the permission": Part(VALIDATING, PERMISSION, None, ASKED, "editor", verdict, "denied", "done"),
    "its binding": Part(VALIDATING + BINDING, PERMISSION, None, ASKED, "editor", verdict, "denied", "done"),
    "that it denies": Part(
        VALIDATING + BINDING,
        PERMISSION,
        setting("spec", "validationActions", to=["Warn"]),
        ASKED,
        "editor",
        verdict,
        "denied",
        "done",
    ),
    "that it looks at updates": Part(
        VALIDATING, PERMISSION, setting(*RULE, "operations", to=["CREATE"]), ASKED, "editor", verdict, "denied", "done"
    ),
    "that it looks at creations": Part(
        VALIDATING,
        PERMISSION,
        setting(*RULE, "operations", to=["UPDATE"]),
        AT_CREATION,
        "editor",
        verdict,
        "denied",
        "done",
    ),
    "that it looks at requests": Part(
        VALIDATING,
        PERMISSION,
        setting(*TERMINATES, to=policies.ENABLES_TERMINATION_ON_DELETION),
        ASKED,
        "editor",
        verdict,
        "denied",
        "done",
    ),
    "that it looks at the deletion policy": Part(
        VALIDATING,
        PERMISSION,
        setting(*TERMINATES, to=policies.SETS_TERMINATE),
        ON_DELETION,
        "editor",
        verdict,
        "denied",
        "done",
    ),
    "that it looks at the namespace": Part(
        VALIDATING,
        PERMISSION,
        swapping("request.namespace", "'policies-elsewhere'", *GUARDED),
        ASKED,
        "elsewhere",
        verdict,
        "denied",
        "done",
    ),
    "the guard of the requester": Part(VALIDATING, GUARD, None, FORGED, "bob", verdict, "denied", "done", UNSTAMPED),
    "the guard's binding": Part(VALIDATING + BINDING, GUARD, None, FORGED, "bob", verdict, "denied", "done", UNSTAMPED),
    "that a request bears one's own name": Part(
        VALIDATING,
        GUARD,
        swapping("variables.stamp == optional.of(request.userInfo.username)", "true", *GUARDED),
        FORGED,
        "bob",
        verdict,
        "denied",
        "done",
        UNSTAMPED,
    ),
    "that a name stays": Part(
        VALIDATING,
        GUARD,
        swapping("variables.stamp == variables.oldStamp", "true", *GUARDED),
        RENAMED,
        "bob",
        verdict,
        "denied",
        "done",
        UNSTAMPED,
    ),
    "the stamp": Part(MUTATING, STAMP, None, ASKED, "bob", name, "bob", None),
    "the stamp's binding": Part(MUTATING + BINDING, STAMP, None, ASKED, "bob", name, "bob", None),
    "that requests are stamped": Part(
        MUTATING, STAMP, swapping("variables.requested", "false", *DUE), ASKED, "bob", name, "bob", None
    ),
    "that creations are stamped": Part(
        MUTATING, STAMP, setting(*RULE, "operations", to=["UPDATE"]), AT_CREATION, "bob", name, "bob", None
    ),
    "that the stamp is kept": Part(
        MUTATING, STAMP, swapping("variables.oldStamp", "optional.none()", *DUE), KEPT, "bob", name, "alice", "denied"
    ),
    "that the stamp goes with the request": Part(
        MUTATING,
        STAMP,
        swapping(": optional.none()", ": variables.oldStamp", *DUE),
        DROPPED,
        "bob",
        name,
        None,
        "alice",
    ),
    "the advice": Part(VALIDATING, ADVICE, None, LATE, "bob", warned, "warned", "not warned"),
    "the advice's binding": Part(VALIDATING + BINDING, ADVICE, None, LATE, "bob", warned, "warned", "not warned"),
    "the advice on closed ones": Part(
        VALIDATING,
        ADVICE,
        setting("spec", "validations", 0, "expression", to="true"),
        LATE,
        "bob",
        warned,
        "warned",
        "not warned",
    ),
    "the advice at creation": Part(
        VALIDATING,
        ADVICE,
        setting("spec", "validations", 1, "expression", to="true"),
        AT_CREATION,
        "bob",
        warned,
        "warned",
        "not warned",
    ),
}


def role(kind: str, name: str, tried: str, user: str) -> Part:
    return Part(kind, name, None, ACTIONS[tried], user, verdict, "done", "denied")


ROLES = {
    "execution-viewer": role("ClusterRole", "execution-viewer", "read an Execution", "viewer"),
    "execution-editor": role("ClusterRole", "execution-editor", "annotate", "editor"),
    "execution-terminator": role("ClusterRole", "execution-terminator", "**terminate**", "alice"),
    "what the operator reads": role("ClusterRole", "execution-operator", "list Organizations", OPERATOR),
    "the binding of that": role("ClusterRoleBinding", "execution-operator", "list Organizations", OPERATOR),
    "what the operator writes": role("ClusterRole", "execution-operator-executions", "write the status", OPERATOR),
    "its binding, too": role("ClusterRoleBinding", "execution-operator-executions", "write the status", OPERATOR),
    "what the operator does at home": role("Role", "execution-operator", "list the operator's Secrets", OPERATOR),
    "the binding at home": role("RoleBinding", "execution-operator", "list the operator's Secrets", OPERATOR),
    "what the gateway reads": role("ClusterRole", gateway.NAME, "list those of all namespaces", GATEWAY),
    "the gateway's binding": role("ClusterRoleBinding", gateway.NAME, "list those of all namespaces", GATEWAY),
}


@pytest.fixture(scope="module")
def tenant(tenant: Tenant) -> Tenant:
    """The users, and an Execution that is closed."""
    tenant.create("closed", {"phase": "completed"})
    return tenant


def put(kube: Kube, content: Json) -> None:
    """Store it as it is, whatever is there now."""
    here = url(content)
    there = kube.ask("GET", here)
    version = {"resourceVersion": there.content["metadata"]["resourceVersion"]} if there.accepted else {}
    kept = {key: value for key, value in content["metadata"].items() if key in {"name", "namespace", "labels"}}
    body = {**content, "metadata": {**kept, **version}}
    kube.call(*(("PUT", here) if there.accepted else ("POST", here.rpartition("/")[0])), body)


@pytest.fixture
def broken_by(tenant: Tenant) -> Iterator[Callable[[str, str, Break | None], None]]:
    """Breaks what is installed, and mends it in the end."""
    kube = tenant.control_plane.kube
    found: list[Json] = []

    def breaking(kind: str, name: str, breaks: Break | None) -> None:
        here = f"{PATHS[kind]}/{name}"
        found.append(kube.call("GET", here))
        if breaks is None:
            kube.call("DELETE", here)
            return
        changed = copy.deepcopy(found[-1])
        breaks(changed)
        put(kube, changed)

    yield breaking
    for content in reversed(found):
        put(kube, content)
    wait_until_enforced(tenant.control_plane)


@pytest.mark.parametrize("of", [*PARTS, *ROLES])
def test_without_it(tenant: Tenant, broken_by: Callable[[str, str, Break | None], None], of: str) -> None:
    part = (PARTS | ROLES)[of]

    def seen() -> ExecutionView:
        return part.look(part.tried.by(tenant, part.user))

    for kind, name in part.beside:
        broken_by(kind, name, None)
    wait_for(lambda: seen() == part.sound, f"{part.sound} with {of}", 10)
    broken_by(part.kind, part.name, part.breaks)
    wait_for(lambda: seen() == part.broken, f"{part.broken} without {of}", 10)


def test_nothing_that_is_shipped_is_left_out() -> None:
    taken_out = {(part.kind, part.name) for part in (PARTS | ROLES).values() if part.breaks is None}
    assert taken_out == {(of["kind"], of["metadata"]["name"]) for of in SHIPPED}
