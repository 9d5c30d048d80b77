"""The checks, in the order in which things must be right. Each says what it found, and what to do about it."""

import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from execution_operator import __version__
from execution_operator.plugin.client import Json
from execution_operator.plugin.doctor.facts import Facts, Operator
from execution_operator.plugin.doctor.findings import Finding, Level, bad, good, unknown
from execution_operator.plugin.request_state import condition
from execution_operator.plugin.values import parsed, plural

INSTALL = (
    "helm upgrade, or kubectl apply --server-side -k deploy/kustomize (before Kubernetes 1.36: deploy/kustomize/base)"
)
OLDEST, OLDEST_WITH_STAMP = (1, 32), (1, 36)
KINDS = ("executions", "executions/status", "organizations")
SELECTED = {".spec.executionId", ".spec.terminate.reason", ".status.phase", ".status.termination.outcome"}
PERMISSION, GUARD, STAMP = (
    "execution-terminate-permission",
    "execution-terminate-requester-guard",
    "execution-terminate-requester",
)
TAG = re.compile(r":v?(\d+\.\d+\.\d+[^@:/]*)(?:@|$)")
SLOW = 5.0
"""Seconds after which a change that the operator has not looked at means that it does not run."""


def api_server(facts: Facts) -> Finding:
    """Is the API server new enough?"""
    if _version(facts) < OLDEST:
        return bad(f"API server {facts.version} is too old", "selectable fields need Kubernetes 1.32 or newer: upgrade")
    return good(f"API server {facts.version}")


def resources(facts: Facts) -> Finding:
    """Are the CRDs installed?"""
    missing = [kind for kind in KINDS if kind not in facts.served]
    if missing:
        return bad(f"the API server does not serve {', '.join(missing)}", f"install the CRDs: {INSTALL}")
    return good("the resources are installed")


def selectable_fields(facts: Facts) -> Finding:
    """Can Executions be selected by the fields that the operator selects them by?"""
    if facts.crd is None:
        return unknown("the CustomResourceDefinition")
    found = {
        field["jsonPath"] for version in facts.crd["spec"]["versions"] for field in version.get("selectableFields", [])
    }
    if missing := sorted(SELECTED - found):
        return bad(f"the CRD of Executions lacks the selectable fields {', '.join(missing)}", f"update it: {INSTALL}")
    return good("the fields that the operator selects by are there")


def namespace(facts: Facts) -> Finding:
    """Is there such a namespace?"""
    if facts.exists is None:
        return unknown(f"namespace {facts.namespace}")
    if not facts.exists:
        return bad(f"namespace {facts.namespace} does not exist", "name another with -n, or create it")
    return good(f"namespace {facts.namespace} exists")


def permissions(facts: Facts) -> Finding:
    """May the user terminate Executions?"""
    lacking = [words for words, may in facts.rights.items() if not may]
    if not lacking:
        return good("you may read, change and terminate Executions")
    roles = ["execution-terminator"] if lacking == ["terminate"] else ["execution-editor", "execution-terminator"]
    bindings = "; ".join(f"kubectl create rolebinding … --clusterrole={role} -n {facts.namespace}" for role in roles)
    return bad(f"you may not {', '.join(lacking)} in {facts.namespace}", f"ask for it: {bindings}")


def permission_policy(facts: Facts) -> Finding:
    """Does the API server require the permission to terminate?"""
    if facts.policies is None or facts.bindings is None:
        return unknown("the admission policies")
    lacking = [f"ValidatingAdmissionPolicy {name}" for name in (PERMISSION, GUARD) if name not in facts.policies]
    lacking += [f"its binding {name}" for name in (PERMISSION, GUARD) if name not in facts.bindings]
    if lacking:
        return bad(
            f"{', '.join(lacking)} is missing: whoever may edit an Execution may terminate it", f"install it: {INSTALL}"
        )
    return good("terminating needs a permission of its own")


def requester_stamp(facts: Facts) -> Finding:
    """Does the API server stamp the requester?"""
    if facts.stamps is None or facts.stamp_bindings is None:
        return unknown("the requester's stamp")
    if STAMP in facts.stamps and STAMP in facts.stamp_bindings:
        return good("the API server records who asks")
    if _version(facts) < OLDEST_WITH_STAMP:
        return Finding(Level.WARNING, "who asks is not recorded: that needs Kubernetes 1.36")
    return bad(
        "who asks is not recorded: the MutatingAdmissionPolicy or its binding is missing", f"install it: {INSTALL}"
    )


def mapping(facts: Facts) -> Finding:
    """Does the namespace belong to exactly one Organization?"""
    if facts.organizations is None:
        return unknown("the Organizations")
    owners = _owners(facts)
    if not owners:
        mend = f"add {facts.namespace} to spec.namespaces of the Organization that it belongs to"
        return bad(f"no Organization lists namespace {facts.namespace}", mend)
    names = ", ".join(sorted(owner["metadata"]["name"] for owner in owners))
    if len(owners) > 1:
        mend = "remove it from spec.namespaces of all but one: listed by two, it belongs to neither"
        return bad(f"namespace {facts.namespace} is listed by {names}", mend)
    return good(f"namespace {facts.namespace} belongs to {names}")


def organization(facts: Facts) -> Finding:
    """Is the Organization ready? Its condition says what is wrong with its Temporal or its Secrets."""
    owners = _owners(facts)
    if len(owners) != 1:
        return Finding(Level.UNKNOWN, "the Organization's Temporal: it is not clear whose")
    owner = owners[0]
    name, ready = owner["metadata"]["name"], condition(owner, "Ready")
    if ready is None or owner["status"].get("observedGeneration") != owner["metadata"]["generation"]:
        return bad(
            f"Organization {name} has not been looked at", "see that the operator runs, and may write its status"
        )
    if ready["status"] != "True":
        return bad(f"Organization {name} is not ready: {ready['reason']}", ready["message"])
    return good(f"Organization {name} is ready: {ready['message']}")


def operators_rights(facts: Facts) -> Finding:
    """Has the operator's account the rights that it needs?"""
    if facts.operators is None:
        return unknown("the operator's permissions")
    if not facts.operators:
        return Finding(Level.UNKNOWN, "the operator's permissions: no Deployment of it is here")
    lacking = [_lacking(each) for each in facts.operators]
    if None in lacking:
        return unknown("the operator's permissions")
    if all(lacking):  # one of several is enough: each may work for namespaces of its own
        return bad(f"the operator's account may not {lacking[0]}", f"bind its ClusterRole: {INSTALL}")
    return good("the operator's account may do its work")


def operator(facts: Facts) -> Finding:
    """Does the operator answer?"""
    if facts.executions is None:
        return unknown("whether the operator runs")
    late = [item for item in facts.executions if _unobserved(item)]
    if late:
        names = ", ".join(item["metadata"]["name"] for item in late[:3])
        return bad(
            f"the operator has not looked at {plural(len(late))} of {facts.namespace} ({names})",
            f"see that it runs, and what its log says: {_log_command(facts)}",
        )
    return good("the operator has looked at everything" if facts.executions else "no Executions yet")


def _log_command(facts: Facts) -> str:
    """Return the command that shows the log of every replica."""
    path = facts.operators[0].path if facts.operators else "NAMESPACE/execution-operator"
    where, _, name = path.partition("/")
    return f"kubectl logs deployment/{name} --namespace={where} --all-pods"


def version(facts: Facts) -> Finding:
    """Do the operator and this plugin have the same version?"""
    if facts.operators is None:
        return unknown("the operator's version")
    found = {each.path: shown for each in facts.operators if (shown := _shown(each))}
    if not found:
        return Finding(Level.UNKNOWN, f"the operator's version: no Deployment shows it (this plugin is {__version__})")
    if others := {path: shown for path, shown in found.items() if shown != __version__}:
        words = ", ".join(f"the operator {path} is {shown}" for path, shown in sorted(others.items()))
        return Finding(Level.WARNING, f"{words}, this plugin {__version__}", "only the same version of both is tested")
    return good(f"operator and plugin are {__version__}")


def stalled(facts: Facts) -> Finding:
    """Is any Execution stalled until somebody acts?"""
    if facts.executions is None:
        return unknown("whether Executions wait for a human")
    waiting = {item["metadata"]["name"]: found["reason"] for item in facts.executions if (found := _stall(item))}
    if not waiting:
        return good("no Execution waits for a human")
    words = ", ".join(f"{count} {reason}" for reason, count in Counter(waiting.values()).most_common())
    example = f"kubectl execution describe {next(iter(waiting))} -n {facts.namespace} says why"
    return Finding(Level.WARNING, f"Executions wait for a human: {words}", example)


CHECKS: tuple[Callable[[Facts], Finding], ...] = (
    api_server,
    resources,
    selectable_fields,
    namespace,
    permissions,
    permission_policy,
    requester_stamp,
    mapping,
    organization,
    operators_rights,
    operator,
    version,
    stalled,
)


def _version(facts: Facts) -> tuple[int, int]:
    major, minor = facts.version.lstrip("v").split(".")[:2]
    return int(major), int(minor)


def _owners(facts: Facts) -> list[Json]:
    return [each for each in facts.organizations or [] if facts.namespace in each["spec"]["namespaces"]]


def _lacking(operator: Operator) -> str | None:
    """Return the rights that an operator's account lacks; None where they can't be read."""
    if operator.rights is None:
        return None
    return ", ".join(words for words, may in operator.rights.items() if not may)


def _shown(operator: Operator) -> str:
    """Return the version of an installation, by the tag of its image or by its label."""
    tag = TAG.search(operator.image)
    return tag[1] if tag else operator.label


def _stall(item: Json) -> Json | None:
    found = condition(item, "Stalled")
    return found if found and found["status"] == "True" else None


def _unobserved(item: Json) -> bool:
    """Return whether a change of the spec was not observed for too long."""
    meta = item["metadata"]
    if item.get("status", {}).get("observedGeneration") == meta["generation"]:
        return False
    times = [entry["time"] for entry in meta.get("managedFields", []) if "time" in entry]
    since = parsed(max([*times, meta["creationTimestamp"]]))
    return (datetime.now(UTC) - since).total_seconds() > SLOW
