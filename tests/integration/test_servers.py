"""The test servers: they start, restart and end with the test run, and their cache is never incomplete."""

import contextlib
import functools
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support import envtest
from tests.support.controlplane import ControlPlane
from tests.support.process import GuardedFolder, GuardedProcess
from tests.support.server import start_all
from tests.support.temporal import TemporalServer
from tests.support.waiting import wait_for

CHECKOUT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:1"

RUN_AND_HANG = """
import signal
from tests.support.controlplane import ControlPlane
from tests.support.server import start_all
from tests.support.temporal import TemporalServer

control_plane, temporal = ControlPlane(), TemporalServer(durable=True)
start_all(control_plane, temporal)
print(control_plane.etcd.pid, control_plane.apiserver.pid, temporal.process.pid)
print(control_plane.folder, temporal.process.log.parent, flush=True)
signal.pause()
"""

FAKE_GO = """#!/bin/sh
[ "$1" = version ] && echo "go version go1.26.0 any/any" && exit
echo "$PWD" >> "$BUILDS"
while [ "$1" != -o ]; do shift; done
echo "#!/bin/sh" > "$2"
chmod +x "$2"
[ -z "$HANGS" ] || exec sleep 60
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[ControlPlane, TemporalServer]]:
    control_plane, temporal = ControlPlane(), TemporalServer(["acme"], durable=True)
    start_all(control_plane, temporal)
    yield control_plane, temporal
    control_plane.stop()
    temporal.stop()


@pytest.fixture
def control_plane(servers: tuple[ControlPlane, TemporalServer]) -> ControlPlane:
    return servers[0]


@pytest.fixture
def temporal(servers: tuple[ControlPlane, TemporalServer]) -> TemporalServer:
    return servers[1]


def test_a_service_account_may_do_nothing_until_rbac_allows_it(control_plane: ControlPlane) -> None:
    control_plane.kubectl("create", "serviceaccount", "robot")
    robot = control_plane.kubeconfig_for_service_account("default", "robot")
    listing = ("get", "configmaps", "--output=name")
    assert "Forbidden" in control_plane.kubectl(*listing, kubeconfig=robot, check=False).stderr
    control_plane.kubectl("create", "role", "lister", "--verb=list", "--resource=configmaps")
    control_plane.kubectl("create", "rolebinding", "robot", "--role=lister", "--serviceaccount=default:robot")
    wait_for(lambda: not control_plane.kubectl(*listing, kubeconfig=robot, check=False).returncode, "the role to count")


def test_a_user_is_who_his_certificate_says(control_plane: ControlPlane) -> None:
    eve = control_plane.kubeconfig_for_user("eve", ["team-a", "team-b"])
    answer = json.loads(control_plane.kubectl("auth", "whoami", "--output=json", kubeconfig=eve).stdout)
    user = answer["status"]["userInfo"]
    assert (user["username"], user["groups"]) == ("eve", ["team-a", "team-b", "system:authenticated"])


def test_the_api_server_restarts_with_its_data(control_plane: ControlPlane) -> None:
    url = control_plane.url
    control_plane.kubectl("create", "configmap", "kept")
    control_plane.stop_apiserver()
    assert control_plane.kubectl("get", "configmap", "kept", check=False).returncode
    control_plane.start_apiserver()
    assert control_plane.kubectl("get", "configmap", "kept").stdout
    assert control_plane.url == url


def test_temporal_restarts_with_its_workflows(temporal: TemporalServer) -> None:
    address = temporal.address
    temporal.create_namespace("later")
    for namespace in temporal.namespaces:
        options = ("--workflow-id", "kept", "--type", "Any", "--task-queue", "none", "--namespace", namespace)
        temporal.cli("workflow", "start", *options, "--search-attribute", 'OrganizationId="acme"')
    temporal.kill()
    temporal.start()
    for namespace in ("default", "acme", "later"):
        assert "kept" in temporal.cli("workflow", "describe", "--workflow-id", "kept", "--namespace", namespace).stdout
    assert temporal.address == address


def test_a_server_that_cannot_start_shows_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"(?s)kube-apiserver ended with code 1.*unknown flag: --nonsense"):
        start_all(ControlPlane(apiserver_arguments=["--nonsense"]))
    assert [file.name for file in tmp_path.glob("*/*")] == ["kube-apiserver.log"]


def test_nothing_remains_when_the_run_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", RUN_AND_HANG], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        pids = [int(pid) for pid in run.stdout.readline().split()]
        folders = [Path(folder) for folder in run.stdout.readline().split()]
        assert all(_exists(pid) for pid in pids)
        assert all(folder.exists() for folder in folders)
        run.kill()
    wait_for(lambda: not any(_exists(pid) for pid in pids), "the servers to end", seconds=10)
    wait_for(lambda: not any(folder.exists() for folder in folders), "the folders to vanish", seconds=10)


def test_a_process_that_ignores_term_ends_nevertheless() -> None:
    with GuardedFolder() as folder:
        stubborn = GuardedProcess(
            ["sh", "-c", "trap '' TERM; echo trapped; sleep 60 & wait; wait"], folder, folder.path / "log"
        )
        wait_for(stubborn.log.read_text, "the trap")
        stubborn.stop()
    assert stubborn.poll() == 128 + 9
    assert not folder.path.exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_an_unfinished_build_leaves_nothing_and_the_next_one_succeeds(tmp_path: Path, ending: signal.Signals) -> None:
    cache, environment = tmp_path / "cache", _with_fake_go(tmp_path)
    with _find_binaries({**environment, "HANGS": "1"}) as run:
        wait_for((tmp_path / "builds").exists, "the build to begin")
        run.send_signal(ending)
    wait_for(lambda: _names(cache / "servers") == {".lock"}, "the unfinished folder to vanish", seconds=10)
    with _find_binaries(environment) as run:
        folder = Path(run.communicate()[0].strip())
    assert {program.name for program in folder.iterdir()} == {"etcd", "kube-apiserver"}


def test_two_runs_build_once(tmp_path: Path) -> None:
    environment = _with_fake_go(tmp_path)
    with _find_binaries(environment) as first, _find_binaries(environment) as second:
        assert first.communicate()[0] == second.communicate()[0] != ""
    assert len((tmp_path / "builds").read_text().splitlines()) == 2


def test_an_archive_is_unpacked_when_its_checksum_fits(tmp_path: Path, archive: Path) -> None:
    digest = hashlib.sha512(archive.read_bytes()).hexdigest()
    (tmp_path / "sums").write_text(f"{digest}  {archive.name}\n")
    envtest.download(tmp_path, "any-any", ("etcd",), tmp_path / "sums")
    assert os.access(tmp_path / "etcd", os.X_OK)
    assert not (tmp_path / "kubectl").exists()


def test_an_archive_with_another_checksum_is_refused(tmp_path: Path, archive: Path) -> None:
    (tmp_path / "sums").write_text(f"{'0' * 128}  {archive.name}\n")
    with pytest.raises(envtest.ArchiveError, match="checksum"):
        envtest.download(tmp_path, "any-any", ("etcd",), tmp_path / "sums")
    assert not (tmp_path / "etcd").exists()


@pytest.fixture
def archive(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An archive of an imaginary release, served where the real ones are expected."""
    root = tmp_path_factory.mktemp("releases")
    program = root / "program"
    program.write_text("#!/bin/sh\n")
    file = root / "envtest-v0.0.0" / "envtest-v0.0.0-any-any.tar.gz"
    file.parent.mkdir()
    with tarfile.open(file, "w:gz") as content:
        for name in ("etcd", "kubectl"):
            content.add(program, f"controller-tools/envtest/{name}")
    with _serve(root) as url:
        monkeypatch.setenv("EXECUTION_OPERATOR_ENVTEST_URL", url)
        yield file


@contextlib.contextmanager
def _serve(folder: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _with_fake_go(folder: Path) -> dict[str, str]:
    """An environment where no archive is in reach, the cache is empty, and Go is a script that is done at once."""
    go = folder / "bin" / "go"
    go.parent.mkdir()
    go.write_text(FAKE_GO)
    go.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "KUBEBUILDER_ASSETS"}
    return {
        **environment,
        "PATH": f"{go.parent}{os.pathsep}{os.environ['PATH']}",
        "BUILDS": str(folder / "builds"),
        "EXECUTION_OPERATOR_CACHE": str(folder / "cache"),
        "EXECUTION_OPERATOR_ENVTEST_URL": NOWHERE,
    }


def _find_binaries(environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", "from tests.support.binaries import server_binaries; print(server_binaries())"]
    return subprocess.Popen(
        command, cwd=CHECKOUT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _names(folder: Path) -> set[str]:
    return {entry.suffix if entry.suffix == ".lock" else entry.name for entry in folder.iterdir()}


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
