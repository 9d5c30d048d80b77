"""Finds etcd, kube-apiserver, Helm and promtool, or gets them once for this machine.

The servers, in this order: the folder that KUBEBUILDER_ASSETS names; the cache, outside any checkout; the official
envtest archive; a build from Go modules. Helm: the cache, or a build; the user's own is not taken, since its version
decides on what is rendered. promtool: the user's own, since rules must hold with any; else as Helm.
`python -m tests.support.binaries` gets all of them.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from tests.support import envtest, gobuild
from tests.support.process import GuardedFolder
from tests.support.progress import say

PROGRAMS = ("etcd", "kube-apiserver")


def server_binaries() -> Path:
    """Give a folder with `etcd` and `kube-apiserver`."""
    users = os.environ.get("KUBEBUILDER_ASSETS")
    if users:
        return _checked(Path(users))
    recipe = ("envtest.sha512", *PROGRAMS)
    return _cached("servers", gobuild.version_of("kube-apiserver"), recipe, PROGRAMS, _get_servers)


def helm() -> Path:
    """Give the program `helm`."""

    def build(unfinished: GuardedFolder) -> None:
        gobuild.build("helm", unfinished, cache_folder())

    return _cached("helm", gobuild.version_of("helm"), ("helm",), ("helm",), build) / "helm"


def promtool() -> Path:
    """Give the program `promtool`."""

    def build(unfinished: GuardedFolder) -> None:
        gobuild.build("promtool", unfinished, cache_folder())

    if users := shutil.which("promtool"):
        return Path(users)
    return _cached("promtool", gobuild.version_of("promtool"), ("promtool",), ("promtool",), build) / "promtool"


def cache_folder() -> Path:
    """Give the folder of what this machine gets only once."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "execution-operator"
    return Path(os.environ.get("EXECUTION_OPERATOR_CACHE") or default)


def _checked(folder: Path) -> Path:
    missing = [program for program in PROGRAMS if not os.access(folder / program, os.X_OK)]
    if missing:
        raise FileNotFoundError(f"KUBEBUILDER_ASSETS={folder} lacks {' and '.join(missing)}")
    return folder


def _platform() -> str:
    machine = platform.machine().lower()
    return f"{platform.system().lower()}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def _recipe_hash(recipe: Collection[str]) -> str:
    digest = hashlib.sha256()
    for file in sorted(gobuild.RECIPES.rglob("*")):
        if file.is_file() and file.relative_to(gobuild.RECIPES).parts[0] in recipe:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _cached(
    kind: str,
    version: str,
    recipe: Collection[str],
    programs: Collection[str],
    get: Callable[[GuardedFolder], None],
) -> Path:
    """Give the cache's folder with the programs.

    They are got beside it, and put in place whole: no run ever sees half a cache.
    """
    folder = cache_folder() / kind / f"{version}-{_platform()}-{_recipe_hash(recipe)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        return folder
    with _lock(folder.parent / f"{folder.name}.lock", " and ".join(programs)):
        if not folder.exists():
            with GuardedFolder(prefix=".unfinished-", parent=folder.parent) as unfinished:
                get(unfinished)
                _put_in_place(unfinished.path, programs, folder)
    return folder


@contextlib.contextmanager
def _lock(file: Path, what: str) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run, which is getting {what} …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _get_servers(unfinished: GuardedFolder) -> None:
    try:
        envtest.download(unfinished.path, _platform(), PROGRAMS)
    except envtest.ArchiveError as reason:
        say(f"no envtest archive, building instead: {reason}")
        for program in PROGRAMS:
            gobuild.build(program, unfinished, cache_folder())


def _put_in_place(unfinished: Path, programs: Collection[str], folder: Path) -> None:
    whole = unfinished / "whole"
    whole.mkdir()
    for program in programs:
        (unfinished / program).rename(whole / program)
    whole.rename(folder)


if __name__ == "__main__":
    server_binaries()
    helm()
    promtool()
