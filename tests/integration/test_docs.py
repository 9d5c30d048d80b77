"""The commands of the documentation, run unchanged on a real API server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.binaries import helm
from tests.support.cluster import KUBECTL
from tests.support.controlplane import ControlPlane
from tests.support.pages import CHECKOUT, Block, sections
from tests.support.waiting import wait_for

DOCS = CHECKOUT / "docs"
INSTALL, UPGRADE = DOCS / "install.md", DOCS / "upgrade.md"
HELM = [
    (INSTALL, "Helm"),
    (INSTALL, "First steps"),
    (INSTALL, "The whole cluster, or some namespaces"),
    (UPGRADE, "With Helm"),
    (UPGRADE, "Back"),
    (INSTALL, "Uninstall"),
]
KUSTOMIZE = [(INSTALL, "kustomize")]
DELAY = "There can be a delay between when CustomResourceDefinitions are created and when they are available"


class DocumentationRunner:
    """Runs the commands of a page, with a checkout and a cluster."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self._folder = folder
        for name in ("deploy", "crds"):
            shutil.copytree(CHECKOUT / name, folder / name)
        programs = [str(path.parent) for path in (helm(), KUBECTL, Path(sys.executable))]
        homes = {f"HELM_{of}_HOME": str(control_plane.folder / "helm") for of in ("CACHE", "CONFIG", "DATA")}
        self._environment = {
            **os.environ,
            **homes,
            "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
            "KUBECONFIG": str(control_plane.admin_kubeconfig),
        }

    def follow(self, blocks: list[Block]) -> list[str]:
        """Write the files and run the commands; return what the commands print."""
        printed = []
        for block in blocks:
            if block.file:
                (self._folder / block.file).write_text(block.text)
            if block.language == "console":
                printed += [self._run(command) for command in block.commands]
        return printed

    def _run(self, command: str) -> str:
        """Run a command; again where the API server does not have our resources quite yet, as the page says."""
        result = wait_for(lambda: self._once(command), f"resources that {command!r} needs", seconds=60, interval=0.5)
        assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
        return result.stdout

    def _once(self, command: str) -> "subprocess.CompletedProcess[str] | None":
        result = subprocess.run(
            ["bash", "-ceu", command],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return None if result.returncode and DELAY in result.stderr else result


@pytest.fixture(scope="module")
def with_helm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentationRunner]:
    with ControlPlane() as control_plane:
        yield DocumentationRunner(control_plane, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="module")
def with_kustomize(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DocumentationRunner]:
    with ControlPlane() as control_plane:
        yield DocumentationRunner(control_plane, tmp_path_factory.mktemp("kustomize"))


def commands(page: Path, heading: str) -> list[str]:
    return [command for block in sections(page)[heading] if block.language == "console" for command in block.commands]


@pytest.mark.parametrize(("page", "heading"), HELM, ids=lambda part: getattr(part, "stem", part))
def test_helm(with_helm: DocumentationRunner, page: Path, heading: str) -> None:
    printed = with_helm.follow(sections(page)[heading])
    assert len(printed) == len(commands(page, heading)) > 0


@pytest.mark.parametrize(("page", "heading"), KUSTOMIZE, ids=lambda part: getattr(part, "stem", part))
def test_kustomize(with_kustomize: DocumentationRunner, page: Path, heading: str) -> None:
    printed = with_kustomize.follow(sections(page)[heading])
    assert "networkpolicy.networking.k8s.io/execution-operator" in printed[1]
    assert "configmap/execution-operator-" in printed[1]


def test_all_that_can_be_run_is_run() -> None:
    runnable = {(page, heading) for page in (INSTALL, UPGRADE) for heading in sections(page) if commands(page, heading)}
    assert runnable == {*HELM, *KUSTOMIZE}
