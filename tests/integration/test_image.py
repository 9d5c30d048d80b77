"""The image, built and run as in a pod. Skipped without a Docker engine and a base image."""

import base64
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.image import NoEngineError, build, docker, facts
from tests.support.packages import Chart, PackagedStack, here
from tests.support.waiting import wait_for
from tests.support.workflows import Stubborn

HARDENED = ("--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=host")


@pytest.fixture(scope="module")
def image() -> str:
    try:
        return build()
    except NoEngineError as reason:
        pytest.skip(f"the image was not built: {reason}")


def inside(image: str, *command: str) -> str:
    return docker("run", "--rm", *HARDENED, f"--entrypoint={command[0]}", image, *command[1:])


def test_it_runs_as_nobody_with_one_layer_above_its_base(image: str) -> None:
    assert facts(image)["user"] == "65532:65532"
    assert inside(image, "id", "-u") == "65532"
    history = docker("history", "--no-trunc", "--format={{.Size}} {{.CreatedBy}}", image).splitlines()
    assert len([line for line in history if not line.startswith("0B") and "Imported" not in line]) <= 2


def test_it_holds_no_build_tools_and_nothing_of_ours_can_be_written(image: str) -> None:
    folder = "/opt/execution-operator"
    assert inside(image, "find", f"{folder}/lib", "-maxdepth", "4", "-name", "pip", "-o", "-name", "hatchling") == ""
    assert inside(image, "find", folder, "-writable", "-not", "-type", "l") == ""
    assert inside(image, "sh", "-c", "command -v gcc cc make git || true") == ""


@pytest.fixture(scope="module")
def stack() -> Iterator[PackagedStack]:
    """A local stack with the chart, whose operator has gone: the image takes its place."""
    with PackagedStack(Chart()) as running:
        running.operator.end()
        running.organization("acme", "team-a")
        yield running


def mounted(stack: PackagedStack, folder: Path) -> Path:
    """Write what a pod finds of its ServiceAccount."""
    kubeconfig = stack.control_plane.kubeconfig_for_service_account(stack.package.namespace, stack.package.name)
    content = json.loads(kubeconfig.read_text())
    authority = content["clusters"][0]["cluster"]["certificate-authority-data"]
    (folder / "ca.crt").write_bytes(base64.b64decode(authority))
    (folder / "token").write_text(content["users"][0]["user"]["token"])
    (folder / "namespace").write_text(stack.package.namespace)
    folder.chmod(0o755)
    return folder


def test_it_carries_out_a_request_and_ends_when_it_is_told_to(image: str, stack: PackagedStack, tmp_path: Path) -> None:
    server = urlsplit(stack.control_plane.url)
    options = [
        f"--volume={mounted(stack, tmp_path)}:/var/run/secrets/kubernetes.io/serviceaccount:ro",
        f"--env=KUBERNETES_SERVICE_HOST={server.hostname}",
        f"--env=KUBERNETES_SERVICE_PORT={server.port}",
        f"--env=TEMPORAL_ADDRESS={stack.temporal.address}",
    ]
    arguments = here(stack.package.container(stack.control_plane)["args"])
    container = docker("run", "--detach", *HARDENED, *options, image, *arguments)
    try:
        wait_for(
            lambda: "starting to reconcile Executions" in log(container), "the operator to take up requests", seconds=30
        )
        stack.samples.begin(Stubborn, "boxed")
        stack.apply("Execution", "boxed", {"executionId": "boxed", "terminate": {"reason": "runaway cost"}}, "team-a")
        stack.until("boxed", Terminated="True/Terminated")
        docker("kill", f"--signal={signal.SIGTERM.name}", container)
        assert docker("wait", container) == "0"
        assert '"level": "ERROR"' not in log(container)
    finally:
        print(log(container))
        docker("rm", "--force", container)


def log(container: str) -> str:
    result = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return result.stdout + result.stderr
