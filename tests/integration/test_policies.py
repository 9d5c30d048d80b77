"""The admission policies and roles on a real API server: who may do what, and whose name is recorded.

Nothing here is stored unless a test says so: `--dry-run=server` passes through all of admission.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from execution_operator.core.requests import REQUESTER_ANNOTATION
from tests.support.controlplane import ControlPlane
from tests.support.installed import Tenant, execution, install
from tests.support.waiting import wait_for

REASON = {"terminate": {"reason": "runaway cost"}}
OTHER_REASON = {"terminate": {"reason": "out of budget"}}
NO_REQUEST: dict[str, Any] = {"terminate": None}
OPERATOR = "system:serviceaccount:execution-operator:execution-operator"
PIPELINE = "system:serviceaccount:policies:pipeline"


@dataclass(frozen=True)
class Try:
    """One kubectl command, tried out."""

    arguments: tuple[str, ...]
    manifest: str | None = None


def creating(*, annotations: dict[str, str] | None = None, **spec: Any) -> Try:
    return Try(("create", "-f", "-"), execution("new", annotations, **spec))


def applying(name: str, **spec: Any) -> Try:
    return Try(("apply", "--server-side", "-f", "-"), execution(name, **spec))


def applying_status(name: str, annotations: dict[str, str] | None = None, **status: Any) -> Try:
    manifest = {**json.loads(execution(name, annotations)), "status": status}
    return Try(("apply", "--server-side", "--subresource=status", "-f", "-"), json.dumps(manifest))


def replacing(name: str, **spec: Any) -> Try:
    return Try(("replace", "-f", "-"), execution(name, **spec))


def patching(name: str, patch: dict[str, Any], *options: str) -> Try:
    return Try(("patch", "ex", name, "--type=merge", f"--patch={json.dumps(patch)}", *options))


def stamped(by: str | None) -> dict[str, Any]:
    """The part of a patch that writes the stamp, or removes it."""
    return {"metadata": {"annotations": {REQUESTER_ANNOTATION: by}}}


@pytest.fixture(scope="module")
def tenant(control_plane: ControlPlane) -> Tenant:
    """`quiet` has no request; `asked` has one of alice's."""
    tenant = Tenant(control_plane, "policies")
    tenant.kubectl("create", "serviceaccount", "pipeline")
    tenant.bind("viewer", "execution-viewer")
    tenant.bind("editor", "execution-editor")
    tenant.bind("terminator", "execution-terminator")
    for user in ("alice", "bob", PIPELINE):
        tenant.bind(user, "execution-editor", "execution-terminator")
    tenant.bind("elsewhere", "execution-editor")
    Tenant(control_plane, "policies-elsewhere").bind("elsewhere", "execution-terminator")
    tenant.create("quiet")
    manifest = execution("asked", {"example.com/x": "y"}, **REASON)
    tenant.kubectl("create", "-f", "-", user="alice", manifest=manifest)
    return tenant


READ = {"read": Try(("get", "ex", "quiet"))}
EDIT = {
    "create": creating(),
    "delete": Try(("delete", "ex", "asked", "--dry-run=server")),
}
PATCH = {
    "annotate": Try(("annotate", "ex", "asked", "example.com/x=z", "--overwrite", "--dry-run=server")),
    "add a finalizer": patching("asked", {"metadata": {"finalizers": ["example.com/x"]}}),
    "withdraw": patching("asked", {"spec": NO_REQUEST}),
    "no longer terminate on deletion": patching("quiet", {"spec": {"deletionPolicy": "Orphan"}}),
}
TERMINATE = {
    "terminate": patching("quiet", {"spec": REASON}),
    "terminate by server-side apply": applying("quiet", **REASON),
    "terminate at creation": creating(**REASON),
    "change the reason": patching("asked", {"spec": OTHER_REASON}),
    "change the grace period": patching("asked", {"spec": {"terminate": {"gracePeriodSeconds": 60}}}),
    "terminate on deletion": patching("quiet", {"spec": {"deletionPolicy": "Terminate"}}),
    "create to terminate on deletion": creating(deletionPolicy="Terminate"),
}
WRITE_STATUS = {"write the status": applying_status("quiet", phase="cancelled")}
TRIES = READ | EDIT | PATCH | TERMINATE | WRITE_STATUS

MAY = {
    "nobody": set[str](),
    "viewer": {*READ},
    "terminator": set[str](),  # the permission alone: it changes nothing without the right to edit
    "editor": {*READ, *EDIT, *PATCH},
    "elsewhere": {*READ, *EDIT, *PATCH},  # may terminate, but in another namespace
    "alice": {*READ, *EDIT, *PATCH, *TERMINATE},
    PIPELINE: {*READ, *EDIT, *PATCH, *TERMINATE},
    OPERATOR: {*READ, *PATCH, *WRITE_STATUS, "delete"},
}


@pytest.mark.parametrize("action", TRIES)
@pytest.mark.parametrize("user", MAY)
def test_who_may_do_what(tenant: Tenant, user: str, action: str) -> None:
    result = attempt(tenant, TRIES[action], user)
    assert (result.returncode == 0) == (action in MAY[user]), result.stderr
    assert result.returncode == 0 or "(Forbidden)" in result.stderr


def attempt(tenant: Tenant, tried: Try, user: str, *options: str) -> Any:
    """Run the command as the user; what it writes is not stored."""
    dry = () if tried.arguments[0] == "get" or "--dry-run=server" in tried.arguments else ("--dry-run=server",)
    return tenant.kubectl(*tried.arguments, *dry, *options, user=user, manifest=tried.manifest, check=False)


def test_a_denial_says_who_lacks_which_permission_where(tenant: Tenant) -> None:
    denial = attempt(tenant, TERMINATE["terminate"], "editor").stderr
    assert denial.rstrip().endswith(
        'denied request: user "editor" may not terminate Execution policies/quiet: this needs the verb "create" on '
        '"executions/terminate" in API group "control-plane.kubiya.ai" '
        "(bind the ClusterRole execution-terminator in namespace policies)"
    )


def test_the_permission_can_be_given_for_one_execution(tenant: Tenant) -> None:
    tenant.create("only-this")
    tenant.bind("careful", "execution-editor")
    verb = ("--verb=create", "--resource=executions.control-plane.kubiya.ai/terminate", "--resource-name=only-this")
    tenant.kubectl("create", "role", "only-this", *verb)
    tenant.kubectl("create", "rolebinding", "only-this", "--role=only-this", "--user=careful")
    assert attempt(tenant, patching("only-this", {"spec": REASON}), "careful").returncode == 0
    assert "may not terminate" in attempt(tenant, patching("quiet", {"spec": REASON}), "careful").stderr


WRITES = [
    pytest.param(TERMINATE["terminate"], "bob", "bob", id="a request"),
    pytest.param(TERMINATE["terminate by server-side apply"], "bob", "bob", id="a request by server-side apply"),
    pytest.param(TERMINATE["terminate at creation"], "bob", "bob", id="a request at creation"),
    pytest.param(TERMINATE["change the reason"], "bob", "bob", id="a new reason"),
    pytest.param(TERMINATE["change the grace period"], "bob", "bob", id="a new grace period"),
    pytest.param(patching("asked", {"spec": REASON, **stamped("bob")}), "bob", "alice", id="the same request again"),
    pytest.param(patching("asked", {"spec": NO_REQUEST}), "bob", None, id="a withdrawal"),
    pytest.param(patching("asked", {"spec": {"deletionPolicy": "Terminate"}}), "bob", "alice", id="another change"),
    pytest.param(applying("asked", deletionPolicy="Orphan"), "bob", "alice", id="an apply of other fields"),
    pytest.param(replacing("asked", **REASON), "bob", "alice", id="a replacement without the stamp"),
    pytest.param(patching("asked", {"metadata": {"annotations": None}}), "bob", "alice", id="all annotations removed"),
    pytest.param(patching("quiet", {"spec": REASON, **stamped("eve")}), "bob", "bob", id="a forged request"),
    pytest.param(patching("asked", stamped("eve")), "bob", "alice", id="a forged stamp"),
    pytest.param(patching("asked", stamped(None)), "bob", "alice", id="a stamp removed"),
    pytest.param(patching("quiet", stamped("eve")), "bob", None, id="a stamp without a request"),
    pytest.param(creating(annotations={REQUESTER_ANNOTATION: "eve"}), "bob", None, id="a copy without the request"),
    pytest.param(creating(annotations={REQUESTER_ANNOTATION: "eve"}, **REASON), "bob", "bob", id="a copy"),
    pytest.param(patching("asked", {"metadata": {"finalizers": ["a.b/c"]}}), OPERATOR, "alice", id="the operator's"),
]


@pytest.mark.parametrize(("write", "user", "expected"), WRITES)
def test_who_is_recorded_as_the_requester(tenant: Tenant, write: Try, user: str, expected: str | None) -> None:
    result = attempt(tenant, write, user, "--output=json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["metadata"].get("annotations", {}).get(REQUESTER_ANNOTATION) == expected


def test_the_stamp_leaves_other_annotations_alone(tenant: Tenant) -> None:
    assert tenant.get("asked")["metadata"]["annotations"] == {"example.com/x": "y", REQUESTER_ANNOTATION: "alice"}


def test_the_stamp_outlives_the_next_sync(tenant: Tenant) -> None:
    synced = applying("synced", **REASON)
    for _ in range(2):
        tenant.kubectl(*synced.arguments, user="alice", manifest=synced.manifest)
    assert tenant.get("synced")["metadata"]["annotations"] == {REQUESTER_ANNOTATION: "alice"}
    withdrawn = applying("synced")
    tenant.kubectl(*withdrawn.arguments, user="alice", manifest=withdrawn.manifest)
    assert "annotations" not in tenant.get("synced")["metadata"]


def test_the_name_is_the_one_that_the_api_server_authenticated(tenant: Tenant) -> None:
    by_certificate = tenant.control_plane.kubeconfig_for_user("alice")
    by_token = tenant.control_plane.kubeconfig_for_service_account("policies", "pipeline")
    command = (*TERMINATE["terminate"].arguments, "--dry-run=server", "--output=json")
    for kubeconfig, name in ((by_certificate, "alice"), (by_token, PIPELINE)):
        written = json.loads(tenant.kubectl(*command, kubeconfig=kubeconfig).stdout)
        assert written["metadata"]["annotations"] == {REQUESTER_ANNOTATION: name}


def test_the_status_subresource_cannot_carry_a_stamp(tenant: Tenant) -> None:
    write = applying_status("quiet", {REQUESTER_ANNOTATION: "eve"}, phase="running")
    written = json.loads(attempt(tenant, write, OPERATOR, "--output=json").stdout)
    assert written["status"] == {"phase": "running"}
    assert "annotations" not in written["metadata"]


@pytest.fixture(scope="class")
def unstamped(tenant: Tenant) -> Iterator[Tenant]:
    """An API server that writes no stamp, as those before 1.36; `anonymous` has a request without one."""
    control_plane = tenant.control_plane
    control_plane.kubectl("delete", "mutatingadmissionpolicybinding", "execution-terminate-requester")
    forgery = patching("quiet", stamped("eve"))
    wait_for(lambda: attempt(tenant, forgery, "bob").returncode, "the stamp to be gone", interval=0.2)
    tenant.create("anonymous", **REASON)
    yield tenant
    install(control_plane)


ACCEPTED_UNSTAMPED = [
    pytest.param(patching("quiet", {"spec": REASON}), id="a request without a name"),
    pytest.param(creating(**REASON), id="a request at creation"),
    pytest.param(patching("quiet", {"spec": REASON, **stamped("bob")}), id="a request in one's own name"),
    pytest.param(patching("asked", {"spec": OTHER_REASON, **stamped(None)}), id="a new reason without a name"),
    pytest.param(patching("asked", {"spec": NO_REQUEST}), id="a withdrawal that leaves the name"),
    pytest.param(patching("asked", {"spec": NO_REQUEST, **stamped(None)}), id="a withdrawal"),
    pytest.param(patching("asked", {"metadata": {"finalizers": ["a.b/c"]}}), id="a finalizer"),
    pytest.param(patching("anonymous", {"metadata": {"labels": {"a": "b"}}}), id="a label"),
]

DENIED_UNSTAMPED = [
    pytest.param(patching("quiet", {"spec": REASON, **stamped("eve")}), id="a request in another's name"),
    pytest.param(creating(annotations={REQUESTER_ANNOTATION: "eve"}, **REASON), id="a creation in another's name"),
    pytest.param(patching("asked", {"spec": OTHER_REASON}), id="a new reason under the old name"),
    pytest.param(patching("asked", stamped("eve")), id="another name"),
    pytest.param(patching("asked", stamped("bob")), id="one's own name on another's request"),
    pytest.param(patching("anonymous", stamped("bob")), id="a name for a request without one"),
    pytest.param(patching("asked", stamped(None)), id="the name removed"),
    pytest.param(patching("quiet", stamped("bob")), id="a name without a request"),
    pytest.param(creating(annotations={REQUESTER_ANNOTATION: "bob"}), id="a creation with a name, without a request"),
]


class TestWithoutTheStamp:
    @pytest.mark.parametrize("write", ACCEPTED_UNSTAMPED)
    def test_is_accepted(self, unstamped: Tenant, write: Try) -> None:
        result = attempt(unstamped, write, "bob")
        assert result.returncode == 0, result.stderr

    @pytest.mark.parametrize("write", DENIED_UNSTAMPED)
    def test_is_denied(self, unstamped: Tenant, write: Try) -> None:
        denial = attempt(unstamped, write, "bob").stderr
        assert f"the annotation {REQUESTER_ANNOTATION} is the API server's: leave it out" in denial
