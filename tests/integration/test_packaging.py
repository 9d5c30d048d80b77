"""The packages of `deploy/` on a real API server: install, run, upgrade and uninstall by Helm and by kustomize."""

import contextlib
import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from execution_operator.main import argument_parser
from execution_operator.manifests.gateway import ARGUMENTS
from tests.support.controlplane import ControlPlane
from tests.support.monitoring import run_promtool
from tests.support.packages import (
    CHART,
    Chart,
    Kustomization,
    Package,
    PackagedStack,
    objects,
    restricted_namespace,
    run_helm,
)
from tests.support.waiting import wait_for
from tests.support.workflows import Stubborn

Json = dict[str, Any]
PACKAGES = [pytest.param(Chart(), id="helm"), pytest.param(Kustomization(), id="kustomize")]
BOUND = Chart(values=["organizations={acme}"], works_in=["team-a"])


@pytest.fixture(scope="module", params=[*PACKAGES, pytest.param(BOUND, id="helm in namespaces")])
def stack(request: pytest.FixtureRequest) -> Iterator[PackagedStack]:
    """Servers with one installed package and its running operator."""
    with PackagedStack(request.param) as running:
        running.organization("acme", "team-a")
        yield running


@pytest.fixture(scope="module")
def package(stack: PackagedStack) -> Package:
    return stack.package


def test_the_api_server_takes_it_strictly(stack: PackagedStack, package: Package) -> None:
    manifests = package.rendered(stack.control_plane)
    apply = ("apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "--filename=-")
    applied = stack.control_plane.kubectl(*apply, "--output=name", input=manifests)
    assert len(applied.stdout.splitlines()) == len(objects(manifests)) > 15
    assert applied.stderr == ""


def test_requests_are_carried_out_under_its_account(stack: PackagedStack) -> None:
    stack.samples.begin(Stubborn, "stubborn")
    stack.apply("Execution", "stubborn", {"executionId": "stubborn"}, "team-a")
    stack.until("stubborn", Finished="False/Open")
    stack.terminate("stubborn", "runaway cost")
    execution = stack.until("stubborn", Terminated="True/Terminated")
    assert execution["status"]["phase"] == "cancelled"
    assert execution["status"]["termination"]["requestedBy"] == "admin"
    assert [reason for _, reason, _ in stack.wait_for_events("stubborn")] == ["Terminated"]


def test_nothing_was_forbidden_to_it(stack: PackagedStack) -> None:
    assert "orbidden" not in stack.operator.log.read_text()


def pod_of(deployment: Json) -> Json:
    """The Pod that a controller-manager would make of a Deployment."""
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "by-hand", "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def create(control_plane: ControlPlane, pod: Json) -> str:
    """Try to create a Pod; return what the API server says against it."""
    command = ("create", "--dry-run=server", "--validate=strict", "--filename=-")
    return control_plane.kubectl(*command, input=json.dumps(pod), check=False).stderr.strip()


def test_its_pods_keep_to_restricted_pod_security(stack: PackagedStack, package: Package) -> None:
    assert create(stack.control_plane, pod_of(package.deployment(stack.control_plane))) == ""


def without(path: str) -> Callable[[Json], None]:
    """Remove a field of the Pod."""

    def remove(pod: Json) -> None:
        *parents, last = path.split(".")
        node: Any = pod["spec"]
        for parent in parents:
            node = node[0][parent] if isinstance(node, list) else node[parent]
        (node[0] if isinstance(node, list) else node).pop(last)

    return remove


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("securityContext.runAsNonRoot", "runAsNonRoot != true"),
        ("securityContext.seccompProfile", "seccompProfile"),
        ("containers.securityContext.allowPrivilegeEscalation", "allowPrivilegeEscalation != false"),
        ("containers.securityContext.capabilities", "unrestricted capabilities"),
    ],
)
def test_pod_security_is_enforced(stack: PackagedStack, package: Package, path: str, complaint: str) -> None:
    pod = copy.deepcopy(pod_of(package.deployment(stack.control_plane)))
    without(path)(pod)
    assert complaint in create(stack.control_plane, pod)


def test_its_pods_are_as_small_and_as_safe_as_they_say(stack: PackagedStack, package: Package) -> None:
    deployment = package.deployment(stack.control_plane)
    container = package.container(stack.control_plane)
    assert deployment["spec"]["replicas"] == 2
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"]["memory"]
    probes = {of: container[f"{of}Probe"]["httpGet"]["path"] for of in ("startup", "liveness", "readiness")}
    assert probes == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [of["topologyKey"] for of in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]


def test_budget_and_pods_find_each_other(stack: PackagedStack, package: Package) -> None:
    get = ("get", "poddisruptionbudget", package.name, f"--namespace={package.namespace}", "--output=json")
    selector = json.loads(stack.control_plane.kubectl(*get).stdout)["spec"]["selector"]["matchLabels"]
    deployment = package.deployment(stack.control_plane)
    assert selector == deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


MAY = [
    ("create", "leases.coordination.k8s.io", True),
    ("patch", "leases.coordination.k8s.io", True),
    ("update", "leases.coordination.k8s.io", False),
    ("delete", "leases.coordination.k8s.io", False),
    ("list", "secrets", True),
    ("create", "secrets", False),
    ("create", "pods", False),
]


@pytest.mark.parametrize(("verb", "resource", "allowed"), MAY)
def test_what_it_may_do_in_its_own_namespace(
    stack: PackagedStack, package: Package, verb: str, resource: str, *, allowed: bool
) -> None:
    assert may(stack.control_plane, package, verb, resource, package.namespace) is allowed
    assert not may(stack.control_plane, package, verb, resource, "team-a")


def may(control_plane: ControlPlane, package: Package, verb: str, resource: str, namespace: str) -> bool:
    """Ask the API server whether the package's account may do this there."""
    account = f"--as=system:serviceaccount:{package.namespace}:{package.name}"
    command = ("auth", "can-i", verb, resource, f"--namespace={namespace}", account)
    return control_plane.kubectl(*command, check=False).stdout.strip() == "yes"


def inventory(control_plane: ControlPlane) -> set[str]:
    """Name all objects that the API server stores, but what it writes itself all the time."""
    resources = control_plane.kubectl("api-resources", "--verbs=list", "--output=name").stdout.split()
    passing = {"events", "events.events.k8s.io", "leases.coordination.k8s.io", "componentstatuses"}
    kinds = ",".join(sorted({*resources} - passing))
    lines = control_plane.kubectl("get", kinds, "--all-namespaces", "--no-headers", "--show-kind").stdout.splitlines()
    fields = [line.split() for line in lines]
    return {next(word for word in words if "/" in word) for words in fields if words}


APISERVICE = "apiservice.apiregistration.k8s.io/v1alpha1.control-plane.kubiya.ai"  # the API server's, of its CRDs
CRDS = {
    f"customresourcedefinition.apiextensions.k8s.io/{plural}.control-plane.kubiya.ai"
    for plural in ("executions", "organizations")
}
LEFT = {"helm": {*CRDS, APISERVICE, "namespace/operations"}, "kustomize": {"namespace/execution-operator"}}
"""What the README says is left. The namespace of the kustomization is being deleted, by controllers not here."""


@pytest.mark.parametrize("package", PACKAGES)
def test_uninstalling_leaves_what_the_readme_says(package: Package, request: pytest.FixtureRequest) -> None:
    with ControlPlane() as control_plane:
        before = inventory(control_plane)
        package.install(control_plane)
        assert len(inventory(control_plane) - before) > 15
        package.uninstall(control_plane)
        left = LEFT[request.node.callspec.id]

        def gone() -> bool:
            with contextlib.suppress(RuntimeError):  # a kind that is just going can't be listed
                return inventory(control_plane) - before == left
            return False

        with contextlib.suppress(TimeoutError):  # the difference says more
            wait_for(gone, f"nothing to be left but {left}", seconds=60)
        assert inventory(control_plane) - before == left


@pytest.fixture(scope="module")
def bare() -> Iterator[ControlPlane]:
    """An API server where nothing is installed."""
    with ControlPlane() as control_plane:
        yield control_plane


class TestReleases:
    """One cluster's life with the chart."""

    def test_an_upgrade_upgrades_the_crds(self, bare: ControlPlane, tmp_path: Path) -> None:
        release = Chart()
        release.install(bare)
        newer = tmp_path / "execution-operator"
        shutil.copytree(CHART, newer)
        crds = newer / "templates" / "crds.yaml"
        crds.write_text(crds.read_text().replace("maxLength: 500", "maxLength: 501"))
        release.run(bare, "upgrade", chart=newer)
        crd = bare.kubectl("get", "crd", "executions.control-plane.kubiya.ai", "--output=json").stdout
        assert '"maxLength": 501' in crd
        assert '"helm.sh/resource-policy": "keep"' in crd

    def test_a_second_release_works_for_others(self, bare: ControlPlane) -> None:
        bare.kubectl("create", "namespace", "team-c")
        switched_off = [f"{of}.install=false" for of in ("crds", "roles", "policies")]
        values = [*switched_off, "organizations={acme,globex}"]
        second = Chart("second", "operations", values, works_in=["team-b"])
        second.install(bare)
        assert {"--organizations=acme,globex", "--lease-name=second"} <= {*second.container(bare)["args"]}
        executions = "executions.control-plane.kubiya.ai"
        assert may(bare, second, "list", executions, "team-b")
        assert not may(bare, second, "list", executions, "team-c")
        assert may(bare, second, "patch", f"{executions}/status", "team-b")
        assert not may(bare, second, "patch", f"{executions}/status", "team-c")
        assert may(bare, Chart(), "patch", f"{executions}/status", "team-c")

    def test_the_second_goes_and_the_first_stays(self, bare: ControlPlane) -> None:
        Chart("second", "operations").uninstall(bare)
        assert Chart().container(bare)["args"][0] == "run"
        assert bare.kubectl("get", "clusterrole", "execution-terminator").returncode == 0

    def test_what_is_kept_is_taken_over_by_the_next_installation(self, bare: ControlPlane) -> None:
        Chart().uninstall(bare)
        Chart().run(bare, "install")
        assert Chart().container(bare)["args"][0] == "run"

    def test_every_option_at_once_is_accepted(self, bare: ControlPlane) -> None:
        values = [
            "networkPolicy.enabled=true",
            "temporal.address=temporal:7233",
            "temporal.namespace=acme",
            "podLabels.a=b",
            "podAnnotations.a=b",
            "serviceAccount.annotations.a=b",
            "nodeSelector.a=b",
            "env[0].name=A,env[0].value=b",
            "priorityClassName=system-cluster-critical",
            "roles.aggregateTerminator=false",
        ]
        Chart(values=values).run(bare, "upgrade")
        assert Chart().container(bare)["env"] == [
            {"name": "TEMPORAL_ADDRESS", "value": "temporal:7233"},
            {"name": "TEMPORAL_NAMESPACE", "value": "acme"},
            {"name": "A", "value": "b"},
        ]
        role = bare.kubectl("get", "clusterrole", "execution-terminator", "--output=json").stdout
        assert "aggregate-to" not in role


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("image.tags=1", "additional properties 'tags' not allowed"),
        ("replicas=two", "got string, want integer"),
        ("organizations={Not A Name}", "does not match pattern"),
        ("namespaces={team-a}", "at '/organizations': minItems: got 0, want 1"),
        ("policies.requesterStamp=Perhaps", "value must be one of"),
    ],
)
def test_values_that_it_does_not_know_are_refused(bare: ControlPlane, value: str, complaint: str) -> None:
    result = run_helm(bare, "template", "x", CHART, f"--set={value}", check=False)
    assert result.returncode
    assert complaint in result.stderr


def kinds(control_plane: ControlPlane, *options: str) -> set[str]:
    """Render the chart without a cluster; return the kinds of its objects."""
    rendered = run_helm(control_plane, "template", "x", CHART, *options).stdout
    return {document["kind"] for document in objects(rendered)}


def test_the_stamp_comes_where_the_api_server_has_it(bare: ControlPlane) -> None:
    stamp, policy = "MutatingAdmissionPolicy", "--api-versions=admissionregistration.k8s.io/v1/MutatingAdmissionPolicy"
    assert stamp not in kinds(bare)
    assert stamp in kinds(bare, policy)
    assert stamp in kinds(bare, "--set=policies.requesterStamp=Always")
    assert stamp not in kinds(bare, policy, "--set=policies.requesterStamp=Never")
    assert stamp not in kinds(bare, policy, "--set=policies.install=false")


def test_monitoring_is_an_option(bare: ControlPlane) -> None:
    extra = {"Service", "ServiceMonitor", "PrometheusRule"}
    assert not extra & kinds(bare)
    assert extra <= kinds(bare, "--set=serviceMonitor.enabled=true,prometheusRule.enabled=true")


def rendered(control_plane: ControlPlane, kind: str, *values: str) -> Json:
    """Render the chart without a cluster; return its one object of the kind."""
    options = [f"--set={value}" for value in values]
    documents = objects(run_helm(control_plane, "template", "x", CHART, *options).stdout)
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def test_the_alerts_are_those_of_the_release(bare: ControlPlane, tmp_path: Path) -> None:
    values = ("prometheusRule.enabled=true", "prometheusRule.runbooks=https://runbooks.example/terminations")
    rule = rendered(bare, "PrometheusRule", *values)
    (group,) = rule["spec"]["groups"]
    assert group["rules"][0]["expr"] == 'absent(up{job="x",namespace="default"} == 1)'
    links = [each["annotations"]["runbook_url"] for each in group["rules"]]
    assert links[0] == "https://runbooks.example/terminations#executionoperatordown"
    (tmp_path / "rules.yaml").write_text(json.dumps(rule["spec"]))
    verdict = run_promtool("check", "rules", tmp_path / "rules.yaml")
    assert verdict.content, verdict.words


def test_the_dashboard_is_an_option(bare: ControlPlane) -> None:
    assert "ConfigMap" not in kinds(bare)
    shipped = rendered(bare, "ConfigMap", "dashboard.enabled=true")
    assert shipped["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert shipped["data"]["execution-operator.json"] == (CHART.parents[1] / "monitoring/dashboard.json").read_text()


@pytest.mark.parametrize("component", ["network-policy", "monitoring"])
def test_the_components_of_the_kustomization_can_be_added(bare: ControlPlane, tmp_path: Path, component: str) -> None:
    deploy = tmp_path / "deploy"
    shutil.copytree(CHART.parents[1], deploy)
    shutil.copytree(CHART.parents[2] / "crds", tmp_path / "crds")
    overlay = {"resources": ["kustomize"], "components": [f"kustomize/components/{component}"]}
    (deploy / "kustomization.yaml").write_text(json.dumps(overlay))
    rendered = objects(bare.kubectl("kustomize", deploy).stdout)
    assert {"NetworkPolicy"} <= {of["kind"] for of in rendered} or component == "monitoring"
    assert {"ServiceMonitor"} <= {of["kind"] for of in rendered} or component == "network-policy"


def test_a_namespace_takes_restricted_pods_only(bare: ControlPlane) -> None:
    bare.kubectl("apply", "--filename=-", input=restricted_namespace("restricted"))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "plain", "namespace": "restricted"},
        "spec": {"containers": [{"name": "plain", "image": "plain"}]},
    }
    assert "violates PodSecurity" in create(bare, pod)


def test_the_temporal_for_trying_is_taken_strictly_and_keeps_to_restricted_pod_security(bare: ControlPlane) -> None:
    manifests = (CHART.parents[1] / "kind" / "temporal.yaml").read_text()
    namespace, deployment, _ = objects(manifests)
    bare.kubectl("apply", "--filename=-", input=json.dumps(namespace))
    bare.kubectl("apply", "--server-side", "--validate=strict", "--filename=-", input=manifests)
    assert create(bare, pod_of(deployment)) == ""


GATEWAY = ("gateway.enabled=true", "gateway.arguments={--hide-existence}", "gateway.tlsSecretName=gateway-tls")


@pytest.fixture(scope="module")
def gateway(bare: ControlPlane) -> Json:
    bare.kubectl("apply", "--filename=-", input=restricted_namespace("gateway"))
    switched_off = [f"{of}.install=false" for of in ("crds", "roles", "policies")]
    Chart("rest", "gateway", [*GATEWAY, *switched_off]).run(bare, "install")
    get = ("get", "deployment", "rest-gateway", "--namespace=gateway", "--output=json")
    content: Json = json.loads(bare.kubectl(*get).stdout)
    return content


class TestGateway:
    """The chart's gateway: its arguments are the program's, its pods are as safe as the operator's."""

    def test_its_pods_keep_to_restricted_pod_security(self, bare: ControlPlane, gateway: Json) -> None:
        assert create(bare, pod_of(gateway)) == ""

    def test_it_speaks_tls(self, gateway: Json) -> None:
        (container,) = gateway["spec"]["template"]["spec"]["containers"]
        assert container["args"] == [
            *ARGUMENTS,
            "--log-level=info",
            "--tls-cert-file=/tls/tls.crt",
            "--tls-key-file=/tls/tls.key",
            "--hide-existence",
        ]
        assert {container[f"{of}Probe"]["httpGet"]["scheme"] for of in ("startup", "liveness", "readiness")} == {
            "HTTPS"
        }
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == ["/tls"]

    def test_its_service_says_so(self, bare: ControlPlane, gateway: Json) -> None:
        get = ("get", "service", gateway["metadata"]["name"], "--namespace=gateway", "--output=json")
        (port,) = json.loads(bare.kubectl(*get).stdout)["spec"]["ports"]
        assert (port["name"], port["port"], port["targetPort"]) == ("https", 443, "http")

    def test_the_program_knows_its_arguments(self, gateway: Json) -> None:
        (container,) = gateway["spec"]["template"]["spec"]["containers"]
        assert argument_parser().parse_args(container["args"]).hide_existence is True
