"""A Prometheus that reads operators, for as long as a rendering needs one. It must be installed: tests need none."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.support.ports import free_port
from tests.support.process import GuardedFolder, GuardedProcess
from tests.support.server import Server, answers, wait_until_ready

EVERY = 2
"""Seconds between two scrapes."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One line of a diagram: its labels, and values by Unix time in seconds."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


class Prometheus(Server):
    """Prometheus with one job.

    Args:
        targets: host:port by the name of the instance.
    """

    def __init__(self, targets: Mapping[str, str]) -> None:
        self._targets = targets
        self._url = f"http://127.0.0.1:{free_port()}"
        self._folder: GuardedFolder | None = None
        self._process: GuardedProcess | None = None

    def start(self) -> None:
        """Start it; return once it serves."""
        program = shutil.which("prometheus")
        if not program:
            raise FileNotFoundError("the rendering needs a program `prometheus`, such as Debian's package has")
        self._folder = GuardedFolder("execution-operator-prometheus-")
        configuration = self._folder.path / "prometheus.yaml"
        configuration.write_text(yaml.safe_dump(self._configuration()))
        command = [
            program,
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self._folder.path / 'data'}",
            f"--web.listen-address={self._url.removeprefix('http://')}",
        ]
        self._process = GuardedProcess(command, self._folder, self._folder.path / "prometheus.log")
        wait_until_ready("prometheus", self._process, lambda: answers(f"{self._url}/-/ready"))

    def stop(self) -> None:
        """End it, and remove what it has stored."""
        if self._process:
            self._process.kill()
        if self._folder:
            self._folder.remove()
        self._process = self._folder = None

    def lines(self, query: str, start: float, end: float) -> list[Line]:
        """Evaluate a query over a time."""
        step = max(EVERY, (end - start) / 240)
        content = self._get("query_range", query=query, start=start, end=end, step=step)
        return [Line(of["metric"], tuple((at, float(value)) for at, value in of["values"])) for of in content["result"]]

    def _get(self, what: str, **parameters: object) -> Json:
        with urlopen(f"{self._url}/api/v1/{what}?{urlencode(parameters)}", timeout=30) as response:
            content: Json = json.load(response)["data"]
        return content

    def _configuration(self) -> Json:
        targets = [
            {"targets": [address], "labels": {"instance": name, "namespace": "execution-operator"}}
            for name, address in self._targets.items()
        ]
        job = {"job_name": "execution-operator", "static_configs": targets}
        return {"global": {"scrape_interval": f"{EVERY}s"}, "scrape_configs": [job]}
