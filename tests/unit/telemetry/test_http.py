"""Probes and metrics, asked for from outside of the operator's thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from execution_operator.telemetry.http import HttpServer
from tests.support.ports import free_port
from tests.support.waiting import wait_for


@dataclass
class Site:
    """A server in a loop and thread of its own.

    Attributes:
        says: What is wrong with it, by path.
        refreshed: How often metrics were worked out.
    """

    port: int = field(default_factory=free_port)
    says: dict[str, str | None] = field(default_factory=dict)
    refreshed: int = 0

    async def serve(self) -> None:
        self.loop, self.stop = asyncio.get_running_loop(), asyncio.Event()
        web = HttpServer(
            "127.0.0.1", self.port, lambda: self.says.get("health"), lambda: self.says.get("ready"), self._refresh
        )
        task = asyncio.create_task(web.run())
        await self.stop.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    def get(self, path: str, timeout: float = 5) -> tuple[int, str]:
        try:
            with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=timeout) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def _refresh(self) -> None:
        self.refreshed += 1

    def is_up(self) -> bool:
        with suppress(OSError):
            return self.get("/healthz")[0] == 200
        return False


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=lambda: asyncio.run(site.serve()))
    thread.start()
    wait_for(site.is_up, "the site to be up")
    yield site
    site.loop.call_soon_threadsafe(site.stop.set)
    thread.join()


def test_probes_say_what_is_wrong(site: Site) -> None:
    assert (site.get("/healthz"), site.get("/readyz")) == ((200, "ok\n"), (200, "ok\n"))
    site.says = {"ready": "not yet"}
    assert (site.get("/healthz"), site.get("/readyz")) == ((200, "ok\n"), (503, "not yet\n"))
    site.says = {"health": "it hangs"}
    assert site.get("/healthz") == (503, "it hangs\n")


def test_gauges_are_worked_out_before_metrics_are_read(site: Site) -> None:
    code, text = site.get("/metrics")
    assert (code, site.refreshed) == (200, 1)
    assert {"execution_operator_leader", "process_resident_memory_bytes", "python_info"} <= {
        line.split("{")[0].split()[0] for line in text.splitlines() if not line.startswith("#")
    }


def test_a_loop_that_stands_still_answers_no_probe(site: Site) -> None:
    going = threading.Event()
    site.loop.call_soon_threadsafe(going.wait)
    try:
        with pytest.raises(TimeoutError):
            site.get("/healthz", timeout=0.3)
    finally:
        going.set()
    assert site.get("/healthz") == (200, "ok\n")
