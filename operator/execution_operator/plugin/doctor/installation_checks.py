"""Checks of the API server, the CRDs, the namespace, the user's permissions and the admission policies."""

from execution_operator.plugin.doctor.facts import Facts
from execution_operator.plugin.doctor.findings import Finding, ok, problem, unknown, warning

INSTALL_COMMAND = (
    "helm upgrade, or kubectl apply --server-side -k deploy/kustomize (before Kubernetes 1.36: deploy/kustomize/base)"
)
"""The commands that install or update the operator."""

MIN_KUBERNETES_VERSION = (1, 32)
"""The first version with selectable fields of custom resources."""

MIN_KUBERNETES_VERSION_FOR_STAMP = (1, 36)
"""The first version with MutatingAdmissionPolicies, which record the requester."""

REQUIRED_RESOURCES = ("executions", "executions/status", "organizations")
"""The resources that the API server must serve."""

REQUIRED_SELECTABLE_FIELDS = {
    ".spec.executionId",
    ".spec.terminate.reason",
    ".status.phase",
    ".status.termination.outcome",
}
"""The fields by which the operator selects Executions."""

PERMISSION_POLICIES = ("execution-terminate-permission", "execution-terminate-requester-guard")
"""The ValidatingAdmissionPolicies. Their bindings have the same names."""

STAMP_POLICY = "execution-terminate-requester"
"""The MutatingAdmissionPolicy that records the requester. Its binding has the same name."""


def api_server(facts: Facts) -> Finding:
    """Check that the API server is new enough."""
    if _kubernetes_version(facts) < MIN_KUBERNETES_VERSION:
        return problem(
            f"API server {facts.version} is too old", "selectable fields need Kubernetes 1.32 or newer: upgrade"
        )
    return ok(f"API server {facts.version}")


def resources(facts: Facts) -> Finding:
    """Check that the CRDs are installed."""
    missing = [resource for resource in REQUIRED_RESOURCES if resource not in facts.served_resources]
    if missing:
        return problem(f"the API server does not serve {', '.join(missing)}", f"install the CRDs: {INSTALL_COMMAND}")
    return ok("the CRDs are installed")


def selectable_fields(facts: Facts) -> Finding:
    """Check that the CRD of Executions has the selectable fields that the operator uses."""
    if facts.execution_crd is None:
        return unknown("the CustomResourceDefinition of Executions")
    versions = facts.execution_crd["spec"]["versions"]
    present = {field["jsonPath"] for version in versions for field in version.get("selectableFields", [])}
    if missing := sorted(REQUIRED_SELECTABLE_FIELDS - present):
        fields = ", ".join(missing)
        return problem(f"the CRD of Executions lacks the selectable fields {fields}", f"update it: {INSTALL_COMMAND}")
    return ok("the CRD of Executions has the selectable fields that the operator uses")


def namespace(facts: Facts) -> Finding:
    """Check that the namespace exists."""
    if facts.namespace_exists is None:
        return unknown(f"namespace {facts.namespace}")
    if not facts.namespace_exists:
        return problem(f"namespace {facts.namespace} does not exist", "name another with -n, or create it")
    return ok(f"namespace {facts.namespace} exists")


def user_permissions(facts: Facts) -> Finding:
    """Check that the user may terminate Executions."""
    missing = [action for action, allowed in facts.user_permissions.items() if not allowed]
    if not missing:
        return ok("you may read, change and terminate Executions")
    roles = ["execution-terminator"] if missing == ["terminate"] else ["execution-editor", "execution-terminator"]
    commands = "; ".join(f"kubectl create rolebinding … --clusterrole={role} -n {facts.namespace}" for role in roles)
    return problem(
        f"you may not {', '.join(missing)} in {facts.namespace}", f"ask an administrator to grant it: {commands}"
    )


def permission_policy(facts: Facts) -> Finding:
    """Check that the API server requires a permission of its own for terminations."""
    if facts.validating_policies is None or facts.validating_bindings is None:
        return unknown("the admission policies")
    missing = [
        f"ValidatingAdmissionPolicy {name}" for name in PERMISSION_POLICIES if name not in facts.validating_policies
    ]
    missing += [
        f"ValidatingAdmissionPolicyBinding {name}"
        for name in PERMISSION_POLICIES
        if name not in facts.validating_bindings
    ]
    if missing:
        title = f"missing: {', '.join(missing)}; without it, every user who may edit an Execution may terminate it"
        return problem(title, f"install it: {INSTALL_COMMAND}")
    return ok("terminations need a permission of their own")


def requester_stamp(facts: Facts) -> Finding:
    """Check that the API server records the requester of a termination."""
    if facts.mutating_policies is None or facts.mutating_bindings is None:
        return unknown("the policy that records the requester")
    if STAMP_POLICY in facts.mutating_policies and STAMP_POLICY in facts.mutating_bindings:
        return ok("the API server records the requester")
    if _kubernetes_version(facts) < MIN_KUBERNETES_VERSION_FOR_STAMP:
        return warning("the requester is not recorded: that needs Kubernetes 1.36")
    return problem(
        f"the requester is not recorded: MutatingAdmissionPolicy {STAMP_POLICY} or its binding is missing",
        f"install it: {INSTALL_COMMAND}",
    )


def _kubernetes_version(facts: Facts) -> tuple[int, int]:
    major, minor = facts.version.lstrip("v").split(".")[:2]
    return int(major), int(minor)
