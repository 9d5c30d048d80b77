"""Finds etcd and kube-apiserver, or gets them once for this machine.

In this order: the folder that KUBEBUILDER_ASSETS names; the cache, outside any checkout; the official envtest
archive; a build from Go modules. `python -m tests.support.binaries` prints the folder.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
from collections.abc import Iterator
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
    folder = cache_folder() / "servers" / f"{gobuild.version_of('kube-apiserver')}-{_platform()}-{_recipe_hash()}"
    if not folder.exists():
        _fill(folder)
    return folder


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


def _recipe_hash() -> str:
    digest = hashlib.sha256()
    for file in sorted(gobuild.RECIPES.rglob("*")):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _fill(folder: Path) -> None:
    """Get the programs beside the folder, and put them in place whole: no run ever sees half a cache."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder.parent / f"{folder.name}.lock"):
        if folder.exists():
            return
        with GuardedFolder(prefix=".unfinished-", parent=folder.parent) as unfinished:
            _get_programs(unfinished)
            _put_in_place(unfinished.path, folder)


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run, which is getting etcd and kube-apiserver …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _get_programs(unfinished: GuardedFolder) -> None:
    try:
        envtest.download(unfinished.path, _platform(), PROGRAMS)
    except envtest.ArchiveError as reason:
        say(f"no envtest archive, building instead: {reason}")
        for program in PROGRAMS:
            gobuild.build(program, unfinished, cache_folder())


def _put_in_place(unfinished: Path, folder: Path) -> None:
    whole = unfinished / "whole"
    whole.mkdir()
    for program in PROGRAMS:
        (unfinished / program).rename(whole / program)
    whole.rename(folder)


if __name__ == "__main__":
    print(server_binaries())
