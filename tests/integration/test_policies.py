"""The admission policies on a real API server: the message of a denial, and the recorded requester.

Nothing here is stored unless a test says so: a dry run passes through all of admission.
"""

import json
from collections.abc import Iterator

import pytest

from execution_operator.core.workflow.requests import REQUESTER_ANNOTATION
from tests.support.dry_runs import (
    NO_REQUEST,
    OTHER_REASON,
    REASON,
    DryRun,
    applying,
    applying_status,
    creating,
    editing,
    patching,
    replacing,
    stamped,
)
from tests.support.installed import Tenant, install
from tests.support.kube import Json
from tests.support.rights import ACTIONS, OPERATOR
from tests.support.waiting import wait_for

PIPELINE = "system:serviceaccount:policies:pipeline"


def test_a_denial_says_who_lacks_which_permission_where(tenant: Tenant) -> None:
    assert (
        ACTIONS["**terminate**"]
        .by(tenant, "editor")
        .message.endswith(
            'denied request: user "editor" may not terminate Execution policies/quiet: this needs the verb "create" on '
            '"executions/terminate" in API group "control-plane.kubiya.ai" '
            "(bind the ClusterRole execution-terminator in namespace policies)"
        )
    )


def test_the_permission_can_be_given_for_one_execution(tenant: Tenant) -> None:
    tenant.create("only-this")
    tenant.bind("careful", "execution-editor")
    verb = ("--verb=create", "--resource=executions.control-plane.kubiya.ai/terminate", "--resource-name=only-this")
    tenant.kubectl("create", "role", "only-this", *verb)
    tenant.kubectl("create", "rolebinding", "only-this", "--role=only-this", "--user=careful")
    assert patching("only-this", {"spec": REASON}).by(tenant, "careful").accepted
    assert "may not terminate" in patching("quiet", {"spec": REASON}).by(tenant, "careful").message


WRITES = [
    pytest.param(patching("quiet", {"spec": REASON}), "bob", "bob", id="a request"),
    pytest.param(applying("quiet", **REASON), "bob", "bob", id="a request by server-side apply"),
    pytest.param(replacing("quiet", **REASON), "bob", "bob", id="a request by replacement"),
    pytest.param(creating(**REASON), "bob", "bob", id="a request at creation"),
    pytest.param(patching("asked", {"spec": OTHER_REASON}), "bob", "bob", id="a new reason"),
    pytest.param(
        patching("asked", {"spec": {"terminate": {"gracePeriodSeconds": 60}}}), "bob", "bob", id="a new grace period"
    ),
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
    pytest.param(patching("asked", stamped("eve")), "root", "alice", id="a forgery by the cluster administrator"),
]


@pytest.mark.parametrize(("write", "user", "expected"), WRITES)
def test_who_is_recorded_as_the_requester(tenant: Tenant, write: DryRun, user: str, expected: str | None) -> None:
    answer = write.by(tenant, user)
    assert answer.accepted, answer.message
    assert requester(answer.content) == expected


def requester(content: Json) -> str | None:
    name: str | None = content["metadata"].get("annotations", {}).get(REQUESTER_ANNOTATION)
    return name


def test_the_stamp_leaves_other_annotations_alone(tenant: Tenant) -> None:
    assert tenant.get("asked")["metadata"]["annotations"] == {"example.com/x": "y", REQUESTER_ANNOTATION: "alice"}


def sync(tenant: Tenant, **spec: object) -> Json:
    """Apply for good, as a GitOps controller does every few minutes; return what is stored."""
    manifest = json.dumps(applying("synced", **spec).body)
    tenant.kubectl("apply", "--server-side", "--filename=-", user="alice", manifest=manifest)
    return tenant.get("synced")


def test_the_stamp_outlives_the_next_sync(tenant: Tenant) -> None:
    for _ in range(2):
        assert sync(tenant, **REASON)["metadata"]["annotations"] == {REQUESTER_ANNOTATION: "alice"}
    assert "annotations" not in sync(tenant)["metadata"]


REQUEST = ("patch", "ex", "quiet", "--type=merge", f"--patch={json.dumps({'spec': REASON})}", "--dry-run=server")


def test_the_name_is_the_one_that_the_api_server_authenticated(tenant: Tenant) -> None:
    by_certificate = tenant.control_plane.kubeconfig_for_user("alice")
    by_token = tenant.control_plane.kubeconfig_for_service_account("policies", "pipeline")
    for kubeconfig, name in ((by_certificate, "alice"), (by_token, PIPELINE)):
        written = json.loads(tenant.kubectl(*REQUEST, "--output=json", kubeconfig=kubeconfig).stdout)
        assert requester(written) == name


def test_who_impersonates_acts_with_the_rights_and_the_name_of_the_other(tenant: Tenant) -> None:
    impersonate = ("create", "clusterrole", "impersonator", "--verb=impersonate", "--resource=users")
    tenant.kubectl(*impersonate, "--resource-name=alice", "--resource-name=editor")
    tenant.kubectl("create", "clusterrolebinding", "impersonator", "--clusterrole=impersonator", "--user=support")
    support = tenant.control_plane.kubeconfig_for_user("support")
    written = tenant.kubectl(*REQUEST, "--output=json", user="alice", kubeconfig=support)
    assert requester(json.loads(written.stdout)) == "alice"
    as_editor = tenant.kubectl(*REQUEST, user="editor", kubeconfig=support, check=False)
    assert 'user "editor" may not terminate' in as_editor.stderr
    as_bob = tenant.kubectl(*REQUEST, user="bob", kubeconfig=support, check=False)
    assert 'User "support" cannot impersonate resource "users"' in as_bob.stderr


def test_who_has_edit_may_act_as_any_service_account_of_the_namespace(tenant: Tenant) -> None:
    editor = tenant.control_plane.kubeconfig_for_user("aggregated-edit")
    written = tenant.kubectl(*REQUEST, "--output=json", user=PIPELINE, kubeconfig=editor)
    assert requester(json.loads(written.stdout)) == PIPELINE


def test_the_status_subresource_cannot_carry_a_stamp_or_a_request(tenant: Tenant) -> None:
    write = applying_status("quiet", {REQUESTER_ANNOTATION: "eve"}, phase="running")
    request = DryRun(
        write.method, write.path, {**write.body, "spec": {"executionId": "id-of-quiet", **REASON}}, write.kind
    )
    for each in (write, request):
        written = each.by(tenant, OPERATOR).content
        assert written["status"] == {"observedGeneration": 0, "phase": "running"}
        assert "annotations" not in written["metadata"]
        assert "terminate" not in written["spec"]


@pytest.fixture(scope="class")
def unstamped(tenant: Tenant) -> Iterator[Tenant]:
    """An API server that writes no stamp, as those before 1.36; `anonymous` has a request without one."""
    control_plane = tenant.control_plane
    control_plane.kubectl("delete", "mutatingadmissionpolicybinding", "execution-terminate-requester")
    forgery = patching("quiet", stamped("eve"))
    wait_for(lambda: not forgery.by(tenant, "bob").accepted, "the stamp to be gone", interval=0.2)
    tenant.create("anonymous", **REASON)
    yield tenant
    install(control_plane)


ACCEPTED_UNSTAMPED = [
    pytest.param(patching("quiet", {"spec": REASON}), id="a request without a name"),
    pytest.param(creating(**REASON), id="a request at creation"),
    pytest.param(patching("quiet", {"spec": REASON, **stamped("bob")}), id="a request in one's own name"),
    pytest.param(patching("asked", {"spec": OTHER_REASON, **stamped(None)}), id="a new reason without a name"),
    pytest.param(patching("asked", {"spec": NO_REQUEST}), id="a withdrawal that leaves the name"),
    pytest.param(editing("asked", {"op": "remove", "path": "/spec/terminate"}), id="a withdrawal by JSON patch"),
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
    def test_is_accepted(self, unstamped: Tenant, write: DryRun) -> None:
        answer = write.by(unstamped, "bob")
        assert answer.accepted, answer.message

    @pytest.mark.parametrize("write", DENIED_UNSTAMPED)
    def test_is_denied(self, unstamped: Tenant, write: DryRun) -> None:
        denial = write.by(unstamped, "bob").message
        assert f"the annotation {REQUESTER_ANNOTATION} is the API server's: leave it out" in denial
