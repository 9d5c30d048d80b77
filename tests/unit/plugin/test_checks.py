"""What the doctor makes of what it sees."""

from dataclasses import replace
from typing import Any

import pytest

from execution_operator import __version__
from execution_operator.plugin.doctor.checks import CHECKS
from execution_operator.plugin.doctor.facts import OPERATORS_RIGHTS, OWN_RIGHTS, Facts, Operator
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


def operator(image: str = IMAGE, label: str = "", lacks: str = "") -> Operator:
    rights = {words: words != lacks for words in OPERATORS_RIGHTS}
    return Operator("execution-operator/execution-operator", image, label, rights)


HEALTHY = Facts(
    namespace="team-a",
    version="v1.36.0",
    served={"executions", "executions/status", "organizations"},
    crd=crd(*FIELDS),
    exists=True,
    rights=dict.fromkeys(OWN_RIGHTS, True),
    policies=POLICIES,
    bindings=POLICIES,
    stamps=STAMP,
    stamp_bindings=STAMP,
    organizations=[organization()],
    executions=[execution("seen", 2)],
    operators=[operator()],
)
UNSEEN: dict[str, Any] = dict.fromkeys(
    ("crd", "exists", "policies", "bindings", "stamps", "stamp_bindings", "organizations", "executions", "operators")
)
STALLED = {"type": "Stalled", "status": "True", "reason": "ExecutionNotFound", "message": ""}
DENIED = dict.fromkeys(OWN_RIGHTS, False)


def test_all_is_well() -> None:
    assert {check(HEALTHY).level for check in CHECKS} == {Level.GOOD}


def test_what_cannot_be_seen_is_neither_good_nor_bad() -> None:
    levels = [check(replace(HEALTHY, **UNSEEN)).level for check in CHECKS]
    assert (levels.count(Level.UNKNOWN), levels.count(Level.GOOD)) == (10, 3)


@pytest.mark.parametrize(
    ("change", "level", "told"),
    [
        ({"version": "v1.31.9+vendor"}, Level.BAD, "API server v1.31.9+vendor is too old"),
        ({"served": set()}, Level.BAD, "does not serve executions, executions/status, organizations"),
        ({"crd": crd(*FIELDS[:3])}, Level.BAD, "lacks the selectable fields .status.termination.outcome"),
        ({"exists": False}, Level.BAD, "namespace team-a does not exist"),
        ({"rights": DENIED}, Level.BAD, "you may not read Executions, change Executions, terminate in team-a"),
        ({"policies": set()}, Level.BAD, "ValidatingAdmissionPolicy execution-terminate-permission"),
        ({"bindings": set()}, Level.BAD, "its binding execution-terminate-permission"),
        ({"stamps": set()}, Level.BAD, "who asks is not recorded"),
        ({"stamps": set(), "version": "v1.35.2"}, Level.WARNING, "that needs Kubernetes 1.36"),
        ({"operators": [operator("x/y:0.0.9")]}, Level.WARNING, "execution-operator/execution-operator is 0.0.9"),
        ({"operators": [operator("x/y@sha256:0", "0.0.8")]}, Level.WARNING, "is 0.0.8, this plugin"),
        ({"operators": [operator("x:5000/y:latest")]}, Level.UNKNOWN, "no Deployment shows it"),
        ({"operators": [operator(lacks="watch Executions")]}, Level.BAD, "account may not watch Executions"),
        ({"executions": [execution("late", 1)]}, Level.BAD, "has not looked at 1 execution of team-a (late)"),
        ({"executions": [execution("lost", 2, STALLED)]}, Level.WARNING, "1 ExecutionNotFound"),
        ({"executions": [execution("well", 2, {**STALLED, "status": "False"})]}, Level.GOOD, "nothing"),
        ({"organizations": [organization(status="False", reason="Lost")]}, Level.BAD, "acme is not ready: Lost"),
    ],
)
def test_one_thing_is_amiss(change: dict[str, Any], level: Level, told: str) -> None:
    others = [finding for check in CHECKS if (finding := check(replace(HEALTHY, **change))).level is not Level.GOOD]
    assert [finding.level for finding in others] == ([level] if level is not Level.GOOD else [])
    assert all(told in finding.title and (finding.mend or level is not Level.BAD) for finding in others)


def test_nobodys_namespace_and_everybodys() -> None:
    for owners, told in (([], "no Organization lists"), ([organization(), organization("hooli")], "by acme, hooli")):
        levels = {(found := check(replace(HEALTHY, organizations=owners))).title: found.level for check in CHECKS}
        (bad,) = (title for title, level in levels.items() if level is Level.BAD)
        assert told in bad


def test_one_operator_that_may_is_enough() -> None:
    lame = operator(lacks="watch Executions")
    assert all(check(replace(HEALTHY, operators=[lame, operator()])).level is Level.GOOD for check in CHECKS)
    no_deployment = [check(replace(HEALTHY, operators=[])).level for check in CHECKS]
    assert no_deployment.count(Level.UNKNOWN) == 2
