"""Builds the Go peer, once for each state of its source, into the user's cache."""

import functools
import hashlib
import os
from pathlib import Path

from tests.support import gobuild
from tests.support.binaries import cache_folder
from tests.support.process import GuardedFolder
from tests.support.progress import run_step

SOURCE = Path(__file__).parent / "peers/go"


@functools.cache
def go_peer() -> Path:
    """Give the program."""
    digest = hashlib.sha256()
    for file in sorted(SOURCE.iterdir()):
        digest.update(file.read_bytes())
    program = cache_folder() / "bench" / f"go-peer-{digest.hexdigest()[:12]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        with GuardedFolder(prefix=".unfinished-", parent=program.parent) as folder:
            _build(folder)
            (folder.path / "go-peer").rename(program)  # whole or not at all
    return program


def _build(folder: GuardedFolder) -> None:
    go = gobuild.find_go(folder, cache_folder())
    command: list[str | Path] = [go, "build", "-trimpath", "-buildvcs=false", "-o", folder.path / "go-peer", "."]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"}
    run_step("building the Go peer (about 3 minutes, once)", command, folder, cwd=SOURCE, env=environment)
