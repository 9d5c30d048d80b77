"""The plugin where nothing is installed but what it asks for: a folder of links in place of site-packages."""

import os
import re
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path
from subprocess import CompletedProcess

from packaging.requirements import Requirement

import execution_operator
from tests.support.plugin import environment


def link_dependencies(folder: Path, name: str = "execution-operator") -> set[str]:
    """Link a distribution's packages, without its extras, and those of all that it needs; return their names."""
    linked: set[str] = set()
    ahead = [name]
    while ahead:
        current = _plain(ahead.pop())
        if current not in linked:
            linked.add(current)
            found = distribution(current)
            _link(folder, found)
            ahead += [each.name for each in map(Requirement, found.requires or []) if _asked_for(each)]
    (folder / "execution_operator").symlink_to(Path(execution_operator.__file__).parent)
    return linked


def run_lean(folder: Path, program: str, *words: str, kubeconfig: Path = Path(os.devnull)) -> CompletedProcess[str]:
    """Run the main function of a module with nothing but the folder to import from."""
    code = f"import sys; from {program} import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-S", "-c", code, *words],
        env=environment(kubeconfig, PYTHONPATH=str(folder)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _link(folder: Path, found: Distribution) -> None:
    tops = {file.parts[0] for file in found.files or [] if not file.parts[0].startswith("..")}
    for top in tops - {"__pycache__"}:
        target = Path(str(found.locate_file(top)))
        if target.exists() and target.suffix != ".pth" and not (folder / top).is_symlink():
            (folder / top).symlink_to(target)


def _asked_for(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
