"""The resources on a real API server: what it refuses, what it must not refuse, and what people see by kubectl."""

import json
import re
from typing import Any

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.installed import CHECKOUT, Tenant, execution

Json = dict[str, Any]
RUN, OTHER_RUN = "01a20acd-1f2f-793e-bd0a-7921b034e160", "01a20acd-1f35-7afd-85b2-3b0d73a30192"
TERMINATED_AT = "2026-01-02T03:04:05.123456789Z"
TERMINATED = {
    "phase": "cancelled",
    "organization": "acme",
    "workflowId": "agent-execution-1",
    "runId": "run-1",
    "terminatedAt": TERMINATED_AT,
    "termination": {"reason": "runaway cost", "outcome": "Terminated"},
}
REQUEST = {"terminate": {"reason": "runaway cost"}}


def organization(name: str = "x", **spec: Any) -> str:
    head = {"apiVersion": "control-plane.kubiya.ai/v1alpha1", "kind": "Organization", "metadata": {"name": name}}
    return json.dumps({**head, "spec": spec})


@pytest.fixture(scope="module")
def tenant(control_plane: ControlPlane) -> Tenant:
    tenant = Tenant(control_plane, "api")
    tenant.create("running", status={"phase": "running"}, runId=RUN)
    tenant.create("terminated", status=TERMINATED, **REQUEST)
    return tenant


REJECTED_UPDATES = [
    pytest.param(
        {"spec": {"terminate": {"reason": " \t "}}},
        'spec.terminate.reason: Invalid value: " \\t ": must not be blank',
        id="blank reason",
    ),
    pytest.param(
        {"spec": {"terminate": {"reason": ""}}},
        "spec.terminate.reason in body should be at least 1 chars long",
        id="empty reason",
    ),
    pytest.param(
        {"spec": {"terminate": {"reason": "x" * 501}}},
        "spec.terminate.reason: Too long: may not be more than 500 bytes",
        id="reason of 501 characters",
    ),
    pytest.param({"spec": {"terminate": {}}}, "spec.terminate.reason: Required value", id="no reason"),
    pytest.param(
        {"spec": {"terminate": {"reason": 7}}},
        'spec.terminate.reason in body must be of type string: "integer"',
        id="number as reason",
    ),
    pytest.param(
        {"spec": {"terminate": "now"}},
        'spec.terminate in body must be of type object: "string"',
        id="text as request",
    ),
    pytest.param(
        {"spec": {"terminate": {"reason": "x", "gracePeriodSeconds": "60"}}},
        'spec.terminate.gracePeriodSeconds in body must be of type integer: "string"',
        id="text as grace period",
    ),
    pytest.param(
        {"spec": {"terminate": {"reason": "x", "gracePeriodSeconds": 86401}}},
        "spec.terminate.gracePeriodSeconds in body should be less than or equal to 86400",
        id="grace period of more than a day",
    ),
    pytest.param(
        {"spec": {"deletionPolicy": "Delete"}},
        'spec.deletionPolicy: Unsupported value: "Delete": supported values: "Orphan", "Terminate"',
        id="unknown deletion policy",
    ),
    pytest.param(
        {"spec": {"executionId": "other"}},
        'spec.executionId: Invalid value: "other": executionId is immutable: create another Execution instead',
        id="changed executionId",
    ),
    pytest.param(
        {"spec": {"executionId": ""}},
        "spec.executionId in body should be at least 1 chars long",
        id="empty executionId",
    ),
    pytest.param(
        {"spec": {"runId": OTHER_RUN}},
        f'spec.runId: Invalid value: "{OTHER_RUN}": runId is immutable: create another Execution instead',
        id="changed runId",
    ),
    pytest.param(
        {"spec": {"runId": None}},
        "spec.runId: Invalid value: runId can't be added or removed: delete this Execution and create another",
        id="removed runId",
    ),
]


@pytest.mark.parametrize(("patch", "message"), REJECTED_UPDATES)
def test_a_bad_update_is_rejected(tenant: Tenant, patch: Json, message: str) -> None:
    result = tenant.patch("running", patch, check=False)
    assert result.returncode == 1
    assert message in result.stderr


REJECTED_AFTER_TERMINATION = [
    pytest.param(
        {"spec": {"terminate": {"reason": "another"}}},
        "spec.terminate.reason: Invalid value: the workflow is terminated: its reason can't change any more "
        "(removing spec.terminate is allowed)",
        id="changed reason",
    ),
    pytest.param(
        {"status": {"phase": "running"}},
        "status.phase: Invalid value: a closed phase is final: completed, failed and cancelled can't change any more",
        id="reopened",
    ),
    pytest.param({"status": {"phase": "failed"}}, "status.phase: Invalid value: a closed phase", id="other phase"),
    pytest.param({"status": None}, "status.phase: Invalid value: a closed phase is final", id="status removed"),
    pytest.param(
        {"status": {"terminatedAt": "2026-01-02T03:04:06Z"}},
        "status.terminatedAt: Invalid value: terminatedAt is set once",
        id="other time",
    ),
    pytest.param(
        {"status": {"terminatedAt": None}},
        "status.terminatedAt: Invalid value: terminatedAt is set once",
        id="time removed",
    ),
    pytest.param(
        {"status": {"termination": {"outcome": "AlreadyClosed"}}},
        "status.termination.outcome: Invalid value: the outcome is set once",
        id="other outcome",
    ),
    pytest.param(
        {"status": {"termination": None}},
        "status.termination.outcome: Invalid value: the outcome is set once",
        id="outcome removed",
    ),
]


@pytest.mark.parametrize(("patch", "message"), REJECTED_AFTER_TERMINATION)
def test_what_is_settled_stays(tenant: Tenant, patch: Json, message: str) -> None:
    result = tenant.patch("terminated", patch, check=False)
    assert result.returncode == 1
    assert message in result.stderr


REJECTED_CREATIONS = [
    pytest.param(execution("x", executionId=None), "spec.executionId: Required value", id="no executionId"),
    pytest.param(execution("x", executionId=" "), 'Invalid value: " ": must not be blank', id="blank executionId"),
    pytest.param(execution("x", reason="x"), 'strict decoding error: unknown field "spec.reason"', id="unknown field"),
    pytest.param(organization(), "spec.namespaces: Required value", id="no namespaces"),
    pytest.param(
        organization(namespaces=[]), "spec.namespaces in body should have at least 1 items", id="empty namespaces"
    ),
    pytest.param(
        organization(namespaces=["Team A"]), 'spec.namespaces[0]: Invalid value: "Team A"', id="bad namespace"
    ),
    pytest.param(
        organization(namespaces=["a", "a"]), 'spec.namespaces[1]: Duplicate value: "a"', id="namespace listed twice"
    ),
    pytest.param(
        organization(namespaces=["a"], workflowIdTemplates=["agent-{id}"]),
        'spec.workflowIdTemplates[0]: Invalid value: "agent-{id}": must contain {executionId}',
        id="template without executionId",
    ),
    pytest.param(
        organization(namespaces=["a"], temporal={"address": "https://temporal:7233"}),
        'spec.temporal.address: Invalid value: "https://temporal:7233"',
        id="address that is a URL",
    ),
]


@pytest.mark.parametrize(("manifest", "message"), REJECTED_CREATIONS)
def test_a_bad_resource_is_rejected(tenant: Tenant, manifest: str, message: str) -> None:
    result = tenant.kubectl("create", "-f", "-", manifest=manifest, check=False)
    assert result.returncode == 1
    assert message in result.stderr


def test_an_unknown_field_can_be_let_through_with_a_warning(tenant: Tenant) -> None:
    create = ("create", "-f", "-", "--validate=warn", "--dry-run=server", "--output=json")
    result = tenant.kubectl(*create, manifest=execution("x", reason="x"))
    assert 'Warning: unknown field "spec.reason"' in result.stderr
    assert "reason" not in json.loads(result.stdout)["spec"]


def test_defaults_are_applied(tenant: Tenant) -> None:
    stored = tenant.get("terminated")["spec"]
    assert stored["deletionPolicy"] == "Orphan"
    assert stored["terminate"]["gracePeriodSeconds"] == 0
    create = ("create", "-f", "-", "--dry-run=server", "--output=json")
    created = json.loads(tenant.kubectl(*create, manifest=organization(namespaces=["a"])).stdout)
    templates = ["{executionId}", "agent-execution-{executionId}", "team-execution-{executionId}"]
    assert created["spec"] == {"namespaces": ["a"], "workflowIdTemplates": templates}


@pytest.mark.parametrize("character", ["x", "界", "🛑"])
def test_a_reason_has_500_characters_however_wide(tenant: Tenant, character: str) -> None:
    patch = {"spec": {"terminate": {"reason": character * 500}}}
    assert tenant.patch("running", patch, "--dry-run=server", check=False).stderr == ""


ACCEPTED_AFTER_TERMINATION = [
    pytest.param({"spec": {"terminate": None}}, id="request removed"),
    pytest.param({"spec": {"terminate": {"gracePeriodSeconds": 60}}}, id="grace period changed"),
    pytest.param({"metadata": {"finalizers": ["example.com/x"]}}, id="finalizer added"),
    pytest.param({"metadata": {"annotations": {"example.com/x": "y"}}}, id="annotated"),
    pytest.param({"status": {"observedGeneration": 7}}, id="generation observed"),
]


@pytest.mark.parametrize("patch", ACCEPTED_AFTER_TERMINATION)
def test_the_rest_of_what_is_settled_can_change(tenant: Tenant, patch: Json) -> None:
    assert "patched" in tenant.patch("terminated", patch, "--dry-run=server").stdout


def test_a_terminated_execution_can_be_deleted_through_its_finalizer(tenant: Tenant) -> None:
    name = tenant.create("leaving", status=TERMINATED, **REQUEST)
    tenant.patch(name, {"metadata": {"finalizers": ["example.com/x"]}})
    tenant.kubectl("delete", "execution", name, "--wait=false")
    assert tenant.get(name)["metadata"]["deletionTimestamp"]
    tenant.patch(name, {"metadata": {"finalizers": None}})
    assert "not found" in tenant.kubectl("get", "execution", name, check=False).stderr


@pytest.mark.parametrize("phase", ["completed", "failed", "cancelled"])
def test_a_late_request_is_accepted_with_a_warning(tenant: Tenant, phase: str) -> None:
    name = tenant.create(f"late-{phase}", status={"phase": phase})
    warning = f"the workflow is already closed (phase {phase}): the request will be answered AlreadyClosed"
    assert warning in tenant.patch(name, {"spec": REQUEST}).stderr


def test_a_request_at_creation_is_accepted_with_a_warning(tenant: Tenant) -> None:
    create = ("create", "-f", "-", "--dry-run=server")
    result = tenant.kubectl(*create, manifest=execution("x", **REQUEST))
    assert "spec.terminate is set at creation: if the workflow is open now, it is terminated" in result.stderr


def test_a_request_on_a_running_execution_has_no_warning(tenant: Tenant) -> None:
    assert tenant.patch("running", {"spec": REQUEST}, "--dry-run=server").stderr == ""


def test_times_keep_nine_digits(tenant: Tenant) -> None:
    assert tenant.get("terminated")["status"]["terminatedAt"] == TERMINATED_AT


def test_columns(tenant: Tenant) -> None:
    assert table(tenant, "get", "ex", "terminated") == [
        ["NAME", "PHASE", "ORGANIZATION", "REASON", "TERMINATED", "AGE"],
        ["terminated", "cancelled", "acme", "runaway cost", "*", "*"],
    ]
    assert table(tenant, "get", "ex", "terminated", "--output=wide") == [
        ["NAME", "PHASE", "ORGANIZATION", "REASON", "TERMINATED", "WORKFLOW", "RUN", "AGE"],
        ["terminated", "cancelled", "acme", "runaway cost", "*", "agent-execution-1", "run-1", "*"],
    ]


def test_the_category_lists_both_kinds(tenant: Tenant) -> None:
    tenant.kubectl(
        "create", "-f", "-", manifest=organization("globex", namespaces=["g"], temporal={"namespace": "globex"})
    )
    ready = {"type": "Ready", "status": "True", "reason": "Ready", "message": "", "lastTransitionTime": TERMINATED_AT}
    status = json.dumps({"status": {"namespaces": 1, "conditions": [ready]}})
    tenant.kubectl("patch", "org", "globex", "--subresource=status", "--type=merge", f"--patch={status}")
    assert table(tenant, "get", "org", "globex") == [
        ["NAME", "READY", "NAMESPACES", "TEMPORAL NAMESPACE", "AGE"],
        ["globex", "True", "1", "globex", "*"],
    ]
    listed = tenant.control_plane.kubectl("get", "kubiya", "--all-namespaces", "--output=name").stdout
    assert "organization.control-plane.kubiya.ai/globex" in listed
    assert "execution.control-plane.kubiya.ai/terminated" in listed


def table(tenant: Tenant, *command: str) -> list[list[str]]:
    """Return what kubectl prints, cell by cell; ages as `*`."""
    lines = tenant.kubectl(*command).stdout.splitlines()
    return [
        ["*" if re.fullmatch(r"\d+[smhdy]\w*", cell) else cell for cell in re.split(r" {2,}", line.strip())]
        for line in lines
    ]


SELECTIONS = [
    pytest.param("spec.terminate.reason!=,status.termination.outcome=", {"asked", "asked-late"}, id="unanswered"),
    pytest.param("status.phase=running", {"asked", "quiet"}, id="running"),
    pytest.param("spec.executionId=id-of-quiet", {"quiet"}, id="by executionId"),
    pytest.param("status.termination.outcome=Terminated", {"answered"}, id="by outcome"),
    pytest.param("status.phase!=completed,status.phase!=cancelled", {"asked", "quiet"}, id="open"),
]


@pytest.fixture(scope="module")
def selected(control_plane: ControlPlane) -> Tenant:
    tenant = Tenant(control_plane, "selectors")
    tenant.create("quiet", status={"phase": "running"})
    tenant.create("asked", status={"phase": "running"}, **REQUEST)
    tenant.create("asked-late", status={"phase": "completed"}, terminate={"reason": "a, b = c\nd"})
    tenant.create("answered", status=TERMINATED, **REQUEST)
    return tenant


@pytest.mark.parametrize(("selector", "expected"), SELECTIONS)
def test_field_selectors(selected: Tenant, selector: str, expected: set[str]) -> None:
    names = selected.kubectl("get", "ex", f"--field-selector={selector}", "--output=name").stdout.split()
    assert {name.partition("/")[2] for name in names} == expected


def test_explain_reads_well(tenant: Tenant) -> None:
    text = " ".join(tenant.kubectl("explain", "execution.spec.terminate").stdout.split())
    assert (
        "Set this to terminate the workflow. Removing it before the workflow is terminated withdraws the request."
        in text
    )
    assert "reason <string> -required- Why the workflow is terminated: 1 to 500 characters, not blank." in text
    assert "gracePeriodSeconds <integer> Seconds that the workflow gets to end by itself." in text


OPERATOR_EVERYWHERE = {
    "executions.control-plane.kubiya.ai": "get list watch patch delete",
    "executions.control-plane.kubiya.ai/status": "patch",
    "organizations.control-plane.kubiya.ai": "list watch",
    "organizations.control-plane.kubiya.ai/status": "patch",
    "events": "create",
}
OPERATOR_AT_HOME = {"secrets": "list watch", "leases.coordination.k8s.io": "get create patch"}


@pytest.mark.parametrize(
    ("namespace", "expected"),
    [
        pytest.param("default", OPERATOR_EVERYWHERE, id="everywhere"),
        pytest.param("execution-operator", {**OPERATOR_EVERYWHERE, **OPERATOR_AT_HOME}, id="at home"),
    ],
)
def test_the_operator_may_do_what_it_needs_and_no_more(
    control_plane: ControlPlane, namespace: str, expected: dict[str, str]
) -> None:
    anybody = permissions(control_plane, "system:serviceaccount:default:anybody", namespace)
    operator = permissions(control_plane, "system:serviceaccount:execution-operator:execution-operator", namespace)
    assert operator.items() - anybody.items() == expected.items()


def permissions(control_plane: ControlPlane, account: str, namespace: str) -> dict[str, str]:
    """Return the verbs that an account has on resources."""
    listed = control_plane.kubectl("auth", "can-i", "--list", f"--as={account}", f"--namespace={namespace}").stdout
    return dict(re.findall(r"^(\S+) +\[\] +\[\] +\[([^\]]*)\]$", listed, re.MULTILINE))


def test_samples_are_accepted(tenant: Tenant) -> None:
    tenant.control_plane.kubectl("create", "namespace", "team-a", check=False)  # another test may have made it
    applied = tenant.control_plane.kubectl("apply", "-f", CHECKOUT / "deploy/samples", "--dry-run=server").stdout
    assert applied.splitlines() == [
        "execution.control-plane.kubiya.ai/nightly-report created (server dry run)",
        "organization.control-plane.kubiya.ai/acme created (server dry run)",
    ]


def test_applying_again_changes_nothing(control_plane: ControlPlane) -> None:
    """What counts is what is stored: kubectl says `configured` of lists that it always replaces."""

    def stored() -> str:
        form = "--output=jsonpath={range .items[*]}{.kind} {.metadata.name} {.metadata.resourceVersion}{'\\n'}{end}"
        return control_plane.kubectl("get", "-k", CHECKOUT / "deploy/kustomize", form).stdout

    before = stored()
    control_plane.kubectl("apply", "-k", CHECKOUT / "deploy/kustomize")
    assert len(before.splitlines()) > 10
    assert stored() == before
