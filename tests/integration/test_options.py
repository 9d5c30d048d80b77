"""The options of the chart and of the kustomization, validated strictly by a real API server."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.packages import CHART, Chart, objects, restricted_namespace

Json = dict[str, Any]
STRICTLY = ("apply", "--server-side", "--validate=strict", "--dry-run=server", "--output=json", "--filename=-")


@pytest.fixture(scope="module")
def bare() -> Iterator[ControlPlane]:
    """An API server with the namespaces that are installed into."""
    with ControlPlane() as control_plane:
        for name in ("operations", "execution-operator"):
            control_plane.kubectl("apply", "--filename=-", input=restricted_namespace(name))
        yield control_plane


def stored(control_plane: ControlPlane, manifests: Sequence[Json]) -> dict[str, Json]:
    """Return the objects as the API server would store them, by kind; warnings count as refusals."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*manifests]})
    applied = control_plane.kubectl(*STRICTLY, input=text)
    assert applied.stderr == ""
    content = json.loads(applied.stdout)
    return {of["kind"]: of for of in content.get("items", [content])}


def released(control_plane: ControlPlane, *values: str) -> dict[str, Json]:
    """Return what the API server would store of a release with these values, but its CRDs, roles and policies."""
    switched_off = [f"{of}.install=false" for of in ("crds", "roles", "policies")]
    release = Chart("options", "operations", [*switched_off, *values])
    return stored(control_plane, objects(release.rendered(control_plane)))


def pod_spec(found: dict[str, Json]) -> Json:
    spec: Json = found["Deployment"]["spec"]["template"]["spec"]
    return spec


def test_a_budget_lets_one_pod_go_at_a_time_and_is_an_option(bare: ControlPlane) -> None:
    found = released(bare)
    assert found["PodDisruptionBudget"]["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": found["Deployment"]["spec"]["selector"],
    }
    assert "PodDisruptionBudget" not in released(bare, "podDisruptionBudget.enabled=false")


def test_replicas_keep_apart_where_they_can(bare: ControlPlane) -> None:
    found = released(bare)
    constraints = pod_spec(found)["topologySpreadConstraints"]
    assert {of["topologyKey"] for of in constraints} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert all(of["labelSelector"] == found["Deployment"]["spec"]["selector"] for of in constraints)
    assert {of["whenUnsatisfiable"] for of in constraints} == {"ScheduleAnyway"}


def rules(policy: Json) -> tuple[list[Json], set[tuple[str, int]]]:
    """Who may come in, and what may go out."""
    (ingress,) = policy["spec"]["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": "http"}]
    out = {(port["protocol"], port["port"]) for rule in policy["spec"]["egress"] for port in rule["ports"]}
    return ingress.get("from", []), out


DNS = {("UDP", 53), ("TCP", 53)}


def test_a_network_policy_is_about_its_pods_and_their_port(bare: ControlPlane) -> None:
    assert "NetworkPolicy" not in released(bare)
    found = released(bare, "networkPolicy.enabled=true")
    policy = found["NetworkPolicy"]
    assert policy["spec"]["podSelector"] == found["Deployment"]["spec"]["selector"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert "http" in [port["name"] for port in pod_spec(found)["containers"][0]["ports"]]
    assert rules(policy) == ([], DNS | {("TCP", 443), ("TCP", 6443), ("TCP", 7233)})


def test_its_ports_and_peers_can_be_named(bare: ControlPlane) -> None:
    peer = "networkPolicy.metricsFrom[0].namespaceSelector.matchLabels.team"
    found = released(bare, "networkPolicy.enabled=true", "networkPolicy.egressPorts={443,17233}", f"{peer}=monitoring")
    assert rules(found["NetworkPolicy"]) == (
        [{"namespaceSelector": {"matchLabels": {"team": "monitoring"}}}],
        DNS | {("TCP", 443), ("TCP", 17233)},
    )


def test_the_component_of_the_kustomization_says_the_same(bare: ControlPlane, tmp_path: Path) -> None:
    shutil.copytree(CHART.parents[1], tmp_path / "deploy")
    shutil.copytree(CHART.parents[2] / "crds", tmp_path / "crds")
    component = "deploy/kustomize/components/network-policy"
    overlay = {"resources": ["deploy/kustomize/base"], "components": [component]}
    (tmp_path / "kustomization.yaml").write_text(json.dumps(overlay))
    kinds = {"NetworkPolicy", "Deployment", "PodDisruptionBudget"}
    rendered = [of for of in objects(bare.kubectl("kustomize", tmp_path).stdout) if of["kind"] in kinds]
    found = stored(bare, rendered)
    assert found["NetworkPolicy"]["spec"]["podSelector"] == found["Deployment"]["spec"]["selector"]
    assert found["PodDisruptionBudget"]["spec"]["selector"] == found["Deployment"]["spec"]["selector"]
    assert rules(found["NetworkPolicy"]) == ([], DNS | {("TCP", 443), ("TCP", 6443), ("TCP", 7233)})


@pytest.mark.parametrize(
    ("value", "field", "expected"),
    [
        ("image.digest=sha256:" + "0" * 64, "containers.0.image", "execution-operator@sha256:" + "0" * 64),
        ("image.tag=9.9.9", "containers.0.image", "execution-operator:9.9.9"),
        ("image.pullPolicy=Always", "containers.0.imagePullPolicy", "Always"),
        ("image.pullSecrets[0].name=registry", "imagePullSecrets.0.name", "registry"),
        ("envFrom[0].secretRef.name=temporal", "containers.0.envFrom.0.secretRef.name", "temporal"),
        ("resources.limits.memory=1Gi", "containers.0.resources.limits.memory", "1Gi"),
        ("volumes[0].name=tls,volumes[0].secret.secretName=tls", "volumes.0.secret.secretName", "tls"),
        ("nodeSelector.disk=ssd", "nodeSelector.disk", "ssd"),
        ("tolerations[0].operator=Exists", "tolerations.0.operator", "Exists"),
        ("priorityClassName=system-cluster-critical", "priorityClassName", "system-cluster-critical"),
        ("log.level=debug", "containers.0.args.5", "--log-level=debug"),
    ],
)
def test_what_pods_can_be_told(bare: ControlPlane, value: str, field: str, expected: str) -> None:
    node: Any = pod_spec(released(bare, value))
    for step in field.split("."):
        node = node[int(step)] if step.isdigit() else node[step]
    assert node == expected
