"""The official envtest archive of etcd and kube-apiserver: the fast way to the servers where GitHub is in reach."""

import hashlib
import http.client
import os
import re
import shutil
import tarfile
import threading
import urllib.request
from pathlib import Path

from tests.support.progress import say

RELEASES = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
# From envtest-releases.yaml in that repository, which setup-envtest reads too.
CHECKSUMS = Path(__file__).with_name("recipes") / "envtest.sha512"
CONNECT_SECONDS = 5.0
READ_SECONDS = 60.0


class ArchiveError(Exception):
    """The archive cannot be had, or is not the one that the checksum names."""


def download(target: Path, platform: str, names: tuple[str, ...], checksums: Path = CHECKSUMS) -> None:
    """Put the named programs of the archive for this platform into the target; raise ArchiveError if there are none."""
    archive_name, expected = _find_checksum(platform, checksums)
    archive = target / archive_name
    release = re.sub(r"-[a-z]+-[a-z0-9]+\.tar\.gz$", "", archive_name)
    base = os.environ.get("EXECUTION_OPERATOR_ENVTEST_URL", RELEASES)
    _save(f"{base}/{release}/{archive_name}", archive)
    with archive.open("rb") as content:
        actual = hashlib.file_digest(content, "sha512").hexdigest()
    if actual != expected:
        raise ArchiveError(f"{archive_name} has the checksum {actual[:12]}…, not {expected[:12]}…")
    _unpack(archive, target, names)
    archive.unlink()


def _find_checksum(platform: str, checksums: Path) -> tuple[str, str]:
    for line in checksums.read_text().splitlines():
        expected, name = line.split()
        if name.endswith(f"-{platform}.tar.gz"):
            return name, expected
    raise ArchiveError(f"there is no envtest archive for {platform}")


def _save(url: str, file: Path) -> None:
    try:
        with _open(url) as response, file.open("wb") as output:
            say(f"downloading {file.name} (once per machine) …")
            shutil.copyfileobj(response, output)
    except (OSError, http.client.HTTPException) as error:
        raise ArchiveError(f"{url} is out of reach ({error})") from error


def _open(url: str) -> http.client.HTTPResponse:
    """Open the URL, with a deadline on looking up the name too, which no socket timeout covers."""
    answers: list[http.client.HTTPResponse | OSError] = []

    def ask() -> None:
        try:
            answers.append(urllib.request.urlopen(url, timeout=READ_SECONDS))
        except OSError as error:
            answers.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(CONNECT_SECONDS)
    answer = answers[0] if answers else TimeoutError(f"no answer in {CONNECT_SECONDS:g} s")
    if isinstance(answer, OSError):
        raise answer
    return answer


def _unpack(archive: Path, target: Path, names: tuple[str, ...]) -> None:
    with tarfile.open(archive) as members:
        for member in members:
            name = Path(member.name).name
            content = members.extractfile(member) if name in names else None
            if content:
                with (target / name).open("wb") as program:
                    shutil.copyfileobj(content, program)
                (target / name).chmod(0o755)
