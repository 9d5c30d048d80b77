"""The health that Argo CD, Flux and kstatus compute for each state of our objects, stored in a real API server."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from execution_operator.kube.patch import merge_patch
from execution_operator.manifests.examples import executions, organizations
from execution_operator.manifests.schema import UNSEEN
from tests.support.controlplane import ControlPlane
from tests.support.gitops import DEPLOY, FLUX, argocd_act, argocd_actions, argocd_health, flux, flux_adopts, kstatus
from tests.support.installed import Tenant

Json = dict[str, Any]

EXECUTIONS = {
    "new": ("InProgress", "Progressing", "InProgress"),
    "running": ("Current", "Healthy", "Current"),
    "paused": ("Current", "Suspended", "Current"),
    "asked": ("InProgress", "Progressing", "InProgress"),
    "asked-not-yet-seen": ("InProgress", "Progressing", "InProgress"),
    "terminating": ("InProgress", "Progressing", "InProgress"),
    "cancelled": ("Current", "Healthy", "Current"),
    "cancelled-elsewhere": ("Current", "Healthy", "Current"),
    "completed": ("Current", "Healthy", "Current"),
    "failed": ("Current", "Healthy", "Current"),
    "already-closed": ("Current", "Healthy", "Current"),
    "denied": ("Failed", "Degraded", "Failed"),
    "not-found": ("Failed", "Degraded", "Failed"),
    "unavailable": ("InProgress", "Progressing", "InProgress"),
}
ORGANIZATIONS = {
    "new": ("InProgress", "Progressing", "InProgress"),
    "ready": ("Current", "Healthy", "Current"),
    "refused": ("Failed", "Degraded", "Failed"),
    "unavailable": ("InProgress", "Progressing", "InProgress"),
    "contested": ("Failed", "Degraded", "Failed"),
}


@pytest.fixture(scope="module")
def tenant(control_plane: ControlPlane) -> Tenant:
    tenant = Tenant(control_plane, "gitops")
    tenant.bind("argocd", "execution-editor", "execution-terminator")
    return tenant


def store(tenant: Tenant, state: str, example: Json) -> Json:
    """Store the object as its users and the operator would: created, changed, its status written."""
    kind = example["kind"].lower()
    manifest = {of: example[of] for of in ("apiVersion", "kind", "spec")} | {"metadata": {"name": state}}
    asked = manifest["spec"].get("terminate")
    created = {**manifest, "spec": {key: value for key, value in manifest["spec"].items() if key != "terminate"}}
    tenant.kubectl("create", "--validate=strict", "-f", "-", manifest=json.dumps(created))
    patches = [{"spec": {"terminate": asked}}] if asked else []
    patches += [{"status": example["status"]}] if example["status"] != UNSEEN else []
    for patch in patches:
        subresource = ("--subresource=status",) if "status" in patch else ()
        tenant.kubectl("patch", kind, state, "--type=merge", f"--patch={json.dumps(patch)}", *subresource)
    stored: Json = json.loads(tenant.kubectl("get", kind, state, "--output=json").stdout)
    assert stored["metadata"]["generation"] == example["metadata"]["generation"]
    return stored


@pytest.mark.parametrize("state", EXECUTIONS)
def test_executions(tenant: Tenant, state: str) -> None:
    stored = store(tenant, state, executions()[state])
    assert (kstatus(stored), argocd_health(stored)["status"], flux(stored)) == EXECUTIONS[state]


@pytest.mark.parametrize("state", ORGANIZATIONS)
def test_organizations(tenant: Tenant, state: str) -> None:
    stored = store(tenant, state, organizations()[state])
    assert (kstatus(stored), argocd_health(stored)["status"], flux(stored)) == ORGANIZATIONS[state]


def test_every_state_is_shown() -> None:
    assert ({*executions()}, {*organizations()}) == ({*EXECUTIONS}, {*ORGANIZATIONS})


def act(tenant: Tenant, name: str, reason: str) -> Any:
    """Run the action as Argo CD does: its script, and the difference as a merge patch."""
    before: Json = tenant.get(name)
    patch = merge_patch(before, argocd_act(before, "terminate", {"reason": reason}))
    return tenant.kubectl(
        "patch", "execution", name, "--type=merge", f"--patch={json.dumps(patch)}", user="argocd", check=False
    )


def test_the_action_terminates_and_is_then_disabled(tenant: Tenant) -> None:
    tenant.create("by-argocd")
    assert argocd_actions(tenant.get("by-argocd"))["terminate"]["disabled"] is False
    assert act(tenant, "by-argocd", "runaway cost").returncode == 0
    stored = tenant.get("by-argocd")
    assert stored["spec"]["terminate"] == {"reason": "runaway cost", "gracePeriodSeconds": 0}
    assert stored["metadata"]["annotations"]["control-plane.kubiya.ai/terminate-requested-by"] == "argocd"
    assert argocd_actions(stored)["terminate"]["disabled"] is True


def test_a_blank_reason_is_refused_by_the_api_server(tenant: Tenant) -> None:
    tenant.create("blank")
    assert "must not be blank" in act(tenant, "blank", "  ").stderr


def apply(tenant: Tenant, name: str, manager: str, **spec: Any) -> Json:
    """Apply as a GitOps controller does; return what is stored."""
    manifest = {
        "apiVersion": "control-plane.kubiya.ai/v1alpha1",
        "kind": "Execution",
        "metadata": {"name": name},
        "spec": {"executionId": name, **spec},
    }
    command = ("apply", "--server-side", f"--field-manager={manager}", "--force-conflicts", "-f", "-")
    tenant.kubectl(*command, manifest=json.dumps(manifest))
    return tenant.get(name)


def test_a_request_by_hand_outlives_a_sync_that_knows_nothing_of_it(tenant: Tenant) -> None:
    apply(tenant, "by-hand", "argocd-controller")
    patch = '--patch={"spec":{"terminate":{"reason":"runaway cost"}}}'
    tenant.kubectl("patch", "execution", "by-hand", "--type=merge", patch)
    assert "terminate" in apply(tenant, "by-hand", "argocd-controller")["spec"]


@pytest.mark.parametrize(
    ("manager", "stays"),
    [
        pytest.param(None, False, id="kubectl patch as it is"),
        pytest.param("kubectl-anything", False, id="a name that begins like it"),
        pytest.param("on-call", True, id="a name of one's own"),
        pytest.param("execution-terminator", True, id="the plugin"),
    ],
)
def test_flux_undoes_what_kubectl_wrote(
    tenant: Tenant, request: pytest.FixtureRequest, manager: str | None, *, stays: bool
) -> None:
    name = request.node.callspec.id.replace(" ", "-").replace("'", "")
    apply(tenant, name, FLUX)
    tenant.patch(name, {"spec": {"terminate": {"reason": "x"}}}, *([f"--field-manager={manager}"] if manager else []))
    adopted = flux_adopts(json.loads(tenant.kubectl(*SHOWN, name).stdout)["metadata"]["managedFields"])
    tenant.patch(name, {"metadata": {"managedFields": adopted}})
    assert ("terminate" in apply(tenant, name, FLUX)["spec"]) is stays


SHOWN = ("get", "execution", "--show-managed-fields", "--output=json")


@pytest.mark.parametrize("manager", ["argocd-controller", FLUX])
def test_what_the_api_server_and_the_operator_add_is_no_drift(tenant: Tenant, manager: str) -> None:
    name = f"added-to-{manager}"
    apply(tenant, name, manager, terminate={"reason": "runaway cost"}, deletionPolicy="Terminate")
    by_operator = {"metadata": {"finalizers": ["control-plane.kubiya.ai/terminate"]}}
    stored = json.loads(tenant.patch(name, by_operator, "--field-manager=operator", "--output=json").stdout)
    again = apply(tenant, name, manager, terminate={"reason": "runaway cost"}, deletionPolicy="Terminate")
    assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
    assert again["metadata"]["finalizers"]
    assert again["spec"]["terminate"]["gracePeriodSeconds"] == 0


def test_a_revert_in_git_withdraws_the_request(tenant: Tenant) -> None:
    asked = {"terminate": {"reason": "runaway cost"}}
    assert "terminate" in apply(tenant, "reverted", "argocd-controller", **asked)["spec"]
    assert "terminate" not in apply(tenant, "reverted", "argocd-controller")["spec"]


def test_a_revert_after_the_act_is_accepted_too(tenant: Tenant) -> None:
    asked = {"terminate": {"reason": "runaway cost"}}
    apply(tenant, "reverted-later", "argocd-controller", **asked)
    status = executions()["cancelled"]["status"]
    tenant.patch("reverted-later", {"status": status})
    reverted = apply(tenant, "reverted-later", "argocd-controller")
    assert "terminate" not in reverted["spec"]
    assert reverted["status"]["phase"] == "cancelled"


SAMPLES = DEPLOY / "samples" / "gitops"


def test_the_sample_repository_is_accepted(tenant: Tenant) -> None:
    control_plane = tenant.control_plane
    control_plane.kubectl("create", "namespace", "team-a", check=False)  # a test before may have made it
    for folder in ("organizations", "executions/team-a"):
        apply = ("apply", "--server-side", "--validate=strict", "--dry-run=server", "-k", SAMPLES / folder)
        assert "serverside-applied" in control_plane.kubectl(*apply).stdout


def test_the_sample_for_flux_has_the_expressions_that_are_tested() -> None:
    def expressions(path: Path) -> list[Json]:
        documents = yaml.safe_load_all(path.read_text())
        return [of for document in documents for of in document["spec"].get("healthCheckExprs", [])]

    sampled = expressions(SAMPLES / "clusters/production/flux.yaml")
    assert sorted(sampled, key=lambda of: str(of["kind"])) == expressions(DEPLOY / "flux" / "executions.yaml")
