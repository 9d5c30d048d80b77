"""A real Temporal server: the development server of the Temporal CLI, on the loopback interface."""

import json
import os
import sqlite3
import subprocess
import sysconfig
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tests.support.ports import free_port
from tests.support.process import GuardedFolder, GuardedProcess
from tests.support.server import Server, answers, wait_until_ready
from tests.support.waiting import wait_for

TEMPORAL = Path(sysconfig.get_path("scripts")) / "temporal"

SEARCH_ATTRIBUTES = {"OrganizationId": "Keyword"}
"""Of every namespace."""


class TemporalServer(Server):
    """A Temporal server with its own ports.

    With `durable=True` its data is in a file: `kill` and `start` again keep the ports, the namespaces and the
    workflows. `process` can be paused. The server has the namespace `default` and those that are named.
    """

    def __init__(
        self,
        namespaces: Sequence[str] = (),
        dynamic_config: Mapping[str, object] | None = None,
        *,
        durable: bool = False,
        ui: bool = False,
    ) -> None:
        self.namespaces = ["default", *namespaces]
        self.process: GuardedProcess | None = None
        self._dynamic_config = dynamic_config or {}
        self._durable = durable
        self._port, self._http_port, self._metrics_port = free_port(), free_port(), free_port()
        self._ui_port = free_port() if ui else None
        self._folder: GuardedFolder | None = None

    @property
    def address(self) -> str:
        """Host and port of the frontend."""
        return f"127.0.0.1:{self._port}"

    @property
    def ui_url(self) -> str | None:
        """The address of the web interface, if it was asked for."""
        return f"http://127.0.0.1:{self._ui_port}" if self._ui_port else None

    @property
    def metrics_url(self) -> str:
        """The address of the server's own metrics."""
        return f"http://127.0.0.1:{self._metrics_port}/metrics"

    def start(self) -> None:
        """Start it, again or for the first time; return once it serves every namespace."""
        self._folder = self._folder or GuardedFolder("execution-operator-temporal-")
        self.process = GuardedProcess(
            self._command(self._folder.path), self._folder, self._folder.path / "temporal.log", env=_environment()
        )
        wait_until_ready("temporal", self.process, self._is_ready)

    def kill(self) -> None:
        """End the server as a crash does; what it has stored stays for the next start."""
        if self.process:
            self.process.kill()
            self.process = None

    def stop(self) -> None:
        """End the server and remove all it has stored."""
        self.kill()
        if self._folder:
            self._folder.remove()
            self._folder = None

    def tear(self, run_id: str) -> None:
        """Leave behind what a write of the run's last events leaves that the server broke off, and made again later.

        Events are stored before the state that they lead to. A crash in between leaves a batch that does not count,
        under an older transaction than the one that does; older ones have higher numbers.
        """
        assert self._folder
        assert self._durable
        of_the_run = "FROM history_node WHERE tree_id = :run"
        columns = "shard_id, tree_id, branch_id, node_id, prev_txn_id, data, data_encoding"
        with closing(sqlite3.connect(self._folder.path / "temporal.db", timeout=10)) as database, database:
            database.execute(
                f"INSERT INTO history_node (txn_id, {columns}) SELECT max(txn_id) + 1, {columns} {of_the_run}"
                f" AND node_id = (SELECT max(node_id) {of_the_run})",
                {"run": uuid.UUID(run_id).bytes},
            )

    def create_namespace(self, name: str) -> None:
        """Create a namespace, with the search attributes that the others have; return once it is served."""
        self.cli("operator", "namespace", "create", "--namespace", name, "--retention", "24h")
        wait_for(lambda: self._has_namespace(name), f"the namespace {name}")
        for attribute, kind in SEARCH_ATTRIBUTES.items():
            options = ("--namespace", name, "--name", attribute, "--type", kind)
            self.cli("operator", "search-attribute", "create", *options)
        self.namespaces.append(name)

    def cli(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run the Temporal CLI against this server, as `kubectl` for the control plane."""
        command = [str(TEMPORAL), *arguments, "--address", self.address]
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
        if check and result.returncode:
            raise RuntimeError(f"temporal {' '.join(arguments)}: {result.stderr.strip() or result.stdout.strip()}")
        return result

    def _is_ready(self) -> bool:
        return all(self._has_namespace(name) for name in self.namespaces)

    def _has_namespace(self, name: str) -> bool:
        """Ask the frontend to describe the namespace, through its HTTP gateway: gRPC without an event loop."""
        return answers(f"http://127.0.0.1:{self._http_port}/api/v1/namespaces/{name}")

    def _command(self, folder: Path) -> list[str | Path]:
        return [
            *(TEMPORAL, "server", "start-dev", "--ip=127.0.0.1", "--log-level=error"),
            *(f"--port={self._port}", f"--http-port={self._http_port}", f"--metrics-port={self._metrics_port}"),
            *([f"--ui-port={self._ui_port}", "--ui-disable-news-fetch"] if self._ui_port else ["--headless"]),
            *([f"--db-filename={folder / 'temporal.db'}"] if self._durable else []),
            *(f"--namespace={name}" for name in self.namespaces[1:]),
            *(f"--search-attribute={name}={kind}" for name, kind in SEARCH_ATTRIBUTES.items()),
            *(f"--dynamic-config-value={key}={json.dumps(value)}" for key, value in self._dynamic_config.items()),
        ]


def _environment() -> dict[str, str]:
    """Leave out the user's own Temporal profile."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
    return {**environment, "TEMPORAL_CONFIG_FILE": os.devnull}
