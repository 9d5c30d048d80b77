"""Checks of the operator: its permissions, whether it runs, its version, and stalled Executions."""

import re
from collections import Counter
from datetime import UTC, datetime

from execution_operator import __version__
from execution_operator.plugin.client import Json
from execution_operator.plugin.doctor.facts import Facts, OperatorDeployment
from execution_operator.plugin.doctor.findings import Finding, Level, ok, problem, unknown, warning
from execution_operator.plugin.doctor.installation_checks import INSTALL_COMMAND
from execution_operator.plugin.request_state import condition
from execution_operator.plugin.values import parsed, plural

IMAGE_VERSION = re.compile(r":v?(\d+\.\d+\.\d+[^@:/]*)(?:@|$)")
"""The version in the tag of an image."""

MAX_OBSERVATION_SECONDS = 5.0
"""A change that the operator has not observed after this time is reported as a problem."""

MAX_EXAMPLES = 3
"""The number of Executions that a finding names."""


def operator_permissions(facts: Facts) -> Finding:
    """Check that the operator's account has the permissions that it needs."""
    if facts.operators is None:
        return unknown("the operator's permissions")
    if not facts.operators:
        return Finding(Level.UNKNOWN, "the operator's permissions: this cluster has no Deployment of the operator")
    missing = [_missing_permissions(operator) for operator in facts.operators]
    if None in missing:
        return unknown("the operator's permissions")
    if all(missing):  # one installation with all permissions is enough: each may serve namespaces of its own
        return problem(f"the operator's account may not {missing[0]}", f"bind its ClusterRole: {INSTALL_COMMAND}")
    return ok("the operator's account has the permissions that it needs")


def operator_observes(facts: Facts) -> Finding:
    """Check that the operator observes changes of Executions."""
    if facts.executions is None:
        return unknown("whether the operator runs")
    overdue = [item for item in facts.executions if _observation_overdue(item)]
    if overdue:
        names = ", ".join(item["metadata"]["name"] for item in overdue[:MAX_EXAMPLES])
        return problem(
            f"the operator has not observed {plural(len(overdue))} of {facts.namespace} ({names})",
            f"check that it runs, and read its log: {_log_command(facts)}",
        )
    return ok("the operator has observed all Executions" if facts.executions else "no Executions yet")


def operator_version(facts: Facts) -> Finding:
    """Check that the operator and this plugin have the same version."""
    if facts.operators is None:
        return unknown("the operator's version")
    versions = {operator.path: version for operator in facts.operators if (version := _version(operator))}
    if not versions:
        return Finding(Level.UNKNOWN, f"the operator's version: no Deployment shows it (this plugin is {__version__})")
    if others := {path: version for path, version in versions.items() if version != __version__}:
        words = ", ".join(f"the operator {path} is {version}" for path, version in sorted(others.items()))
        return warning(f"{words}, this plugin {__version__}", "install the same version of both: no other is tested")
    return ok(f"operator and plugin are {__version__}")


def stalled_executions(facts: Facts) -> Finding:
    """Check that no Execution is stalled. A stalled Execution makes no progress until somebody acts."""
    if facts.executions is None:
        return unknown("whether Executions are stalled")
    stalled = {item["metadata"]["name"]: found["reason"] for item in facts.executions if (found := _stalled(item))}
    if not stalled:
        return ok("no Execution is stalled")
    reasons = ", ".join(f"{count} {reason}" for reason, count in Counter(stalled.values()).most_common())
    fix = f"kubectl execution describe {next(iter(stalled))} -n {facts.namespace} shows the cause"
    return warning(f"Executions are stalled until somebody acts: {reasons}", fix)


def _log_command(facts: Facts) -> str:
    """Return the command that shows the logs of all replicas."""
    path = facts.operators[0].path if facts.operators else "NAMESPACE/execution-operator"
    namespace, _, name = path.partition("/")
    return f"kubectl logs deployment/{name} --namespace={namespace} --all-pods"


def _missing_permissions(operator: OperatorDeployment) -> str | None:
    """Return the permissions that an operator's account lacks; None where the user may not read them."""
    if operator.permissions is None:
        return None
    return ", ".join(action for action, allowed in operator.permissions.items() if not allowed)


def _version(operator: OperatorDeployment) -> str:
    """Return the version in the tag of the image, else the version in the label."""
    tag = IMAGE_VERSION.search(operator.image)
    return tag[1] if tag else operator.version_label


def _stalled(item: Json) -> Json | None:
    """Return the condition `Stalled`, if it is true."""
    found = condition(item, "Stalled")
    return found if found and found["status"] == "True" else None


def _observation_overdue(item: Json) -> bool:
    """Return whether the last change of an Execution was not observed within `MAX_OBSERVATION_SECONDS`."""
    meta = item["metadata"]
    if item.get("status", {}).get("observedGeneration") == meta["generation"]:
        return False
    times = [entry["time"] for entry in meta.get("managedFields", []) if "time" in entry]
    changed_at = parsed(max([*times, meta["creationTimestamp"]]))
    return (datetime.now(UTC) - changed_at).total_seconds() > MAX_OBSERVATION_SECONDS
