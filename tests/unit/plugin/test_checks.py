"""The checks of `kubectl execution doctor`."""

from dataclasses import replace
from typing import Any

import pytest

from execution_operator import __version__
from execution_operator.plugin.doctor.checks import CHECKS
from execution_operator.plugin.doctor.facts import OPERATOR_PERMISSIONS, USER_PERMISSIONS, Facts, OperatorDeployment
from execution_operator.plugin.doctor.findings import Level

LONG_AGO = "2020-01-01T00:00:00Z"
IMAGE = f"registry.example/execution-operator:{__version__}"
READY = {"type": "Ready", "status": "True", "reason": "Ready", "message": "Temporal answers"}
FIELDS = (".spec.executionId", ".spec.terminate.reason", ".status.phase", ".status.termination.outcome")
POLICIES = {"execution-terminate-permission", "execution-terminate-requester-guard"}
STAMP = {"execution-terminate-requester"}


def organization(name: str = "acme", **condition: str) -> dict[str, Any]:
    status = {"observedGeneration": 1, "conditions": [{**READY, **condition}]}
    return {"metadata": {"name": name, "generation": 1}, "spec": {"namespaces": ["team-a"]}, "status": status}


def crd(*paths: str) -> dict[str, Any]:
    return {"spec": {"versions": [{"selectableFields": [{"jsonPath": path} for path in paths]}]}}


def execution(name: str, observed: int, *conditions: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "generation": 2, "creationTimestamp": LONG_AGO}
    return {"metadata": metadata, "status": {"observedGeneration": observed, "conditions": conditions}}


def operator(image: str = IMAGE, label: str = "", missing: str = "") -> OperatorDeployment:
    permissions = {action: action != missing for action in OPERATOR_PERMISSIONS}
    return OperatorDeployment("execution-operator/execution-operator", image, label, permissions)


HEALTHY = Facts(
    namespace="team-a",
    version="v1.36.0",
    served_resources={"executions", "executions/status", "organizations"},
    execution_crd=crd(*FIELDS),
    namespace_exists=True,
    user_permissions=dict.fromkeys(USER_PERMISSIONS, True),
    validating_policies=POLICIES,
    validating_bindings=POLICIES,
    mutating_policies=STAMP,
    mutating_bindings=STAMP,
    organizations=[organization()],
    executions=[execution("observed", 2)],
    operators=[operator()],
)
UNREADABLE: dict[str, Any] = dict.fromkeys(
    (
        "execution_crd",
        "namespace_exists",
        "validating_policies",
        "validating_bindings",
        "mutating_policies",
        "mutating_bindings",
        "organizations",
        "executions",
        "operators",
    )
)
STALLED = {"type": "Stalled", "status": "True", "reason": "ExecutionNotFound", "message": ""}
DENIED = dict.fromkeys(USER_PERMISSIONS, False)


def test_a_healthy_installation_has_no_problem() -> None:
    assert {check(HEALTHY).level for check in CHECKS} == {Level.OK}


def test_unreadable_facts_are_unknown() -> None:
    levels = [check(replace(HEALTHY, **UNREADABLE)).level for check in CHECKS]
    assert (levels.count(Level.UNKNOWN), levels.count(Level.OK)) == (10, 3)


@pytest.mark.parametrize(
    ("change", "level", "title"),
    [
        ({"version": "v1.31.9+vendor"}, Level.PROBLEM, "API server v1.31.9+vendor is too old"),
        ({"served_resources": set()}, Level.PROBLEM, "does not serve executions, executions/status, organizations"),
        ({"execution_crd": crd(*FIELDS[:3])}, Level.PROBLEM, "lacks the selectable fields .status.termination.outcome"),
        ({"namespace_exists": False}, Level.PROBLEM, "namespace team-a does not exist"),
        (
            {"user_permissions": DENIED},
            Level.PROBLEM,
            "you may not read Executions, change Executions, terminate in team-a",
        ),
        ({"validating_policies": set()}, Level.PROBLEM, "ValidatingAdmissionPolicy execution-terminate-permission"),
        (
            {"validating_bindings": set()},
            Level.PROBLEM,
            "ValidatingAdmissionPolicyBinding execution-terminate-permission",
        ),
        ({"mutating_policies": set()}, Level.PROBLEM, "the requester is not recorded"),
        ({"mutating_policies": set(), "version": "v1.35.2"}, Level.WARNING, "that needs Kubernetes 1.36"),
        ({"operators": [operator("x/y:0.0.9")]}, Level.WARNING, "execution-operator/execution-operator is 0.0.9"),
        ({"operators": [operator("x/y@sha256:0", "0.0.8")]}, Level.WARNING, "is 0.0.8, this plugin"),
        ({"operators": [operator("x:5000/y:latest")]}, Level.UNKNOWN, "no Deployment shows it"),
        ({"operators": [operator(missing="watch Executions")]}, Level.PROBLEM, "account may not watch Executions"),
        ({"executions": [execution("overdue", 1)]}, Level.PROBLEM, "has not observed 1 execution of team-a (overdue)"),
        ({"executions": [execution("stalled", 2, STALLED)]}, Level.WARNING, "1 ExecutionNotFound"),
        ({"executions": [execution("healthy", 2, {**STALLED, "status": "False"})]}, Level.OK, "nothing"),
        ({"organizations": [organization(status="False", reason="Lost")]}, Level.PROBLEM, "acme is not ready: Lost"),
    ],
)
def test_one_fault_is_the_only_finding(change: dict[str, Any], level: Level, title: str) -> None:
    others = [finding for check in CHECKS if (finding := check(replace(HEALTHY, **change))).level is not Level.OK]
    assert [finding.level for finding in others] == ([level] if level is not Level.OK else [])
    assert all(title in finding.title and (finding.fix or level is not Level.PROBLEM) for finding in others)


def test_namespace_of_no_organization_and_of_two() -> None:
    for organizations, expected in (
        ([], "no Organization lists"),
        ([organization(), organization("hooli")], "by acme, hooli"),
    ):
        levels = {
            (found := check(replace(HEALTHY, organizations=organizations))).title: found.level for check in CHECKS
        }
        (problem,) = (title for title, level in levels.items() if level is Level.PROBLEM)
        assert expected in problem


def test_one_operator_with_all_permissions_is_enough() -> None:
    restricted = operator(missing="watch Executions")
    assert all(check(replace(HEALTHY, operators=[restricted, operator()])).level is Level.OK for check in CHECKS)
    no_deployment = [check(replace(HEALTHY, operators=[])).level for check in CHECKS]
    assert no_deployment.count(Level.UNKNOWN) == 2
