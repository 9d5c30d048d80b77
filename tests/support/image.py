"""Images, built by a Docker engine where there is one. `python -m tests.support.image` is `make image`: the operator's.

BASE_IMAGE names another base, for machines that can't pull the default; PIP_CERT a CA file that pip must trust here,
which the image itself does not get.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

from execution_operator import __version__

CHECKOUT = Path(__file__).parents[2]
TAG = f"execution-operator:{__version__}"
CONTEXT = ("deploy/requirements.txt", "deploy/requirements-build.txt", "pyproject.toml", "README.md", "operator")
TRUSTING = "FROM {base}\nCOPY authorities.crt /etc/ssl/certs/ca-certificates.crt\n"


class NoEngineError(Exception):
    """There is no Docker engine, or no base image."""


def docker(*arguments: str | Path, context: bytes | None = None) -> str:
    """Run docker; return what it says."""
    result = subprocess.run(["docker", *arguments], input=context, capture_output=True, check=False)
    if result.returncode:
        raise RuntimeError(f"docker {' '.join(map(str, arguments))}: {result.stderr.decode()[-2000:]}")
    return result.stdout.decode().strip()


def build(tag: str = TAG, dockerfile: str = "deploy/Dockerfile", context: Sequence[str] = CONTEXT) -> str:
    """Build an image from these files of the checkout, or find it built already; return its name."""
    base = _base()
    options = [f"--build-arg=BASE={_trusting(base)}", f"--build-arg=RUNTIME={base}", "--network=host"]
    if "PIP_CERT" in os.environ:
        options.append("--build-arg=PIP_CERT=/etc/ssl/certs/ca-certificates.crt")
    if "PIP_INDEX_URL" in os.environ:
        options.append("--build-arg=PIP_INDEX_URL")
    files = _context((dockerfile, *context))
    docker("build", "--quiet", *options, f"--file={dockerfile}", f"--tag={tag}", "-", context=files)
    return tag


def _base() -> str:
    """Return the base, which is there."""
    if shutil.which("docker") is None:
        raise NoEngineError("there is no docker command")
    try:
        docker("version")
    except RuntimeError as error:
        raise NoEngineError("no Docker engine answers") from error
    base = os.environ.get("BASE_IMAGE") or _default_base()
    try:
        docker("image", "inspect", base)
    except RuntimeError:
        try:
            docker("pull", "--quiet", base)
        except RuntimeError as error:
            raise NoEngineError(f"{base} can't be pulled; BASE_IMAGE names another base") from error
    return base


def _default_base() -> str:
    lines = (CHECKOUT / "deploy" / "Dockerfile").read_text().splitlines()
    return next(line for line in lines if line.startswith("ARG BASE=")).partition("=")[2]


def _trusting(base: str) -> str:
    """Return a base whose pip can reach the index from this machine."""
    if "PIP_CERT" not in os.environ:
        return base
    files = {"Dockerfile": TRUSTING.format(base=base).encode(), "authorities.crt": _read(os.environ["PIP_CERT"])}
    return docker("build", "--quiet", "-", context=_archive(files))


def _read(path: str) -> bytes:
    return Path(path).read_bytes()


def _archive(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _context(names: Sequence[str]) -> bytes:
    """Return what the build sees: as `Dockerfile.dockerignore` has it, which older engines don't read."""
    paths = [CHECKOUT / name for name in names]
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    wanted = [file for file in files if file.is_file() and "__pycache__" not in file.parts]
    return _archive({str(file.relative_to(CHECKOUT)): file.read_bytes() for file in wanted})


def facts(image: str) -> dict[str, object]:
    """Return what a platform team asks first."""
    (content,) = json.loads(docker("image", "inspect", image))
    return {
        "image": image,
        "megabytes": round(content["Size"] / 1e6),
        "layers": len(content["RootFS"]["Layers"]),
        "user": content["Config"]["User"],
    }


if __name__ == "__main__":
    try:
        print(json.dumps(facts(build())))
    except NoEngineError as error:
        sys.exit(f"no image was built: {error}")
