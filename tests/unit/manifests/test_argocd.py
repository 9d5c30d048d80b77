"""Argo CD's own test files of our scripts, run by the rules of its test suite."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from execution_operator.manifests.argocd import files
from tests.support.gitops import ARGOCD, argocd_act, argocd_actions, argocd_health

Json = dict[str, Any]


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def cases(path: str, key: str) -> list[Any]:
    """The cases of a test file, each with the folder that its paths start from."""
    file = ARGOCD / path
    content = read(file)[key]
    return [pytest.param(file.parent, case, id=f"{file.parent.name}-{case['inputPath']}") for case in content]


@pytest.mark.parametrize(
    ("folder", "case"), cases("Execution/health_test.yaml", "tests") + cases("Organization/health_test.yaml", "tests")
)
def test_health(folder: Path, case: Json) -> None:
    assert argocd_health(read(folder / case["inputPath"])) == case["healthStatus"]


@pytest.mark.parametrize(("folder", "case"), cases("Execution/actions/action_test.yaml", "discoveryTests"))
def test_discovery(folder: Path, case: Json) -> None:
    found = argocd_actions(read(folder / case["inputPath"]))
    assert [{"name": name, **action} for name, action in found.items()] == case["result"]


@pytest.mark.parametrize(("folder", "case"), cases("Execution/actions/action_test.yaml", "actionTests"))
def test_action(folder: Path, case: Json) -> None:
    content, parameters = read(folder / case["inputPath"]), case["parameters"]
    if message := case.get("expectedErrorMessage"):
        with pytest.raises(Exception, match=message):
            argocd_act(content, case["action"], parameters)
    else:
        assert argocd_act(content, case["action"], parameters) == read(folder / case["expectedOutputPath"])


@pytest.mark.parametrize("kind", ["Execution", "Organization"])
def test_every_state_has_a_case(kind: str) -> None:
    stored = {path.name for path in (ARGOCD / kind / "testdata").iterdir()}
    assert {Path(case["inputPath"]).name for case in read(ARGOCD / kind / "health_test.yaml")["tests"]} == stored


def test_the_config_map_holds_the_scripts_as_they_are() -> None:
    (content,) = files()["argocd-cm.yaml"]
    group = "control-plane.kubiya.ai"
    for kind in ("Execution", "Organization"):
        script = content["data"][f"resource.customizations.health.{group}_{kind}"]
        assert script == (ARGOCD / kind / "health.lua").read_text()
    actions = yaml.safe_load(content["data"][f"resource.customizations.actions.{group}_Execution"])
    assert actions["discovery.lua"] == (ARGOCD / "Execution/actions/discovery.lua").read_text()
    (terminate,) = actions["definitions"]
    assert terminate == {
        "name": "terminate",
        "action.lua": (ARGOCD / "Execution/actions/terminate/action.lua").read_text(),
    }
