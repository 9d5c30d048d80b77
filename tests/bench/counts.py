"""The costs of a peer, measured from outside: calls from the servers' logs and metrics, CPU and memory from /proc."""

import asyncio
import json
import os
import re
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.bench.kube import Json
from tests.bench.servers import TEMPORAL_NAMESPACE, BenchServers

TICK = os.sysconf("SC_CLK_TCK")
REQUEST = re.compile(r"^service_requests\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
METRICS_DELAY_SECONDS = 1.2
"""Time after which Temporal's metrics surely include a call. They are flushed each second."""

IDLE_PREFIX = "filling-"
"""The name prefix of idle Executions."""

WRITES = ("create", "patch", "update", "delete")

QUIET, LOOK = 0.04, 0.5
"""CPU seconds in a look's seconds below which a process counts as settled."""


@dataclass(frozen=True)
class Spent:
    """The CPU time and memory that a process has used since its start."""

    cpu: float
    memory: float
    peak: float

    @classmethod
    def by(cls, pid: int) -> "Spent":
        """Read the CPU seconds, and the current and the peak memory in MiB."""
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        memory, peak = (int(status[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))
        return cls((int(fields[11]) + int(fields[12])) / TICK, memory, peak)


async def settled(pid: int, seconds: float = 60, looks: int = 1) -> Spent:
    """Wait until a process is idle in `looks` samples in a row, or until `seconds` have passed."""
    before, quiet = Spent.by(pid), 0
    for _ in range(int(seconds / LOOK)):
        await asyncio.sleep(LOOK)
        now = Spent.by(pid)
        quiet = quiet + 1 if now.cpu - before.cpu <= QUIET * LOOK else 0
        before = now
        if quiet == looks:
            break
    return before


class Calls:
    """Counts calls between two samples: the account's Kubernetes requests, and RPCs in the workflows' namespace.

    Attributes:
        needless: Writes since the last look to Executions that need nothing.
        touched: Whether there was one since this was set to False.
    """

    def __init__(self, servers: BenchServers) -> None:
        self._servers = servers
        self._offset = 0
        self._rpcs: Counter[str] = Counter()
        self.needless = 0
        self.touched = False

    async def take(self) -> Counter[str]:
        """Return the calls by kind, such as `patch executions/status` or `TerminateWorkflowExecution`."""
        await asyncio.sleep(METRICS_DELAY_SECONDS)
        return self._requests() + self._new_rpcs()

    def _requests(self) -> Counter[str]:
        with self._servers.audit_log.open("rb") as log:
            log.seek(self._offset)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        events = [event for event in map(json.loads, whole.splitlines()) if _counts(event)]
        self.needless = sum(event["verb"] in WRITES and _name(event).startswith(IDLE_PREFIX) for event in events)
        self.touched |= self.needless > 0
        return Counter(_kind(event) for event in events)

    def _new_rpcs(self) -> Counter[str]:
        url = self._servers.temporal.metrics_url
        text = urllib.request.urlopen(url, timeout=10).read().decode()
        now: Counter[str] = Counter()
        for found in REQUEST.finditer(text):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', found["labels"]))
            if labels["namespace"] == TEMPORAL_NAMESPACE and labels["service_name"] == "frontend":
                now[labels["operation"]] += int(float(found["count"]))
        new, self._rpcs = now - self._rpcs, now
        del new["StartWorkflowExecution"]  # the benchmark's own
        return new


def _counts(event: Json) -> bool:
    """Count a request once: a watch when it begins, any other when it has ended."""
    return bool((event["stage"] == "ResponseStarted") == (event["verb"] == "watch"))


def _kind(event: Json) -> str:
    target = event.get("objectRef", {})
    if "resource" not in target:
        return f"{event['verb']} {event['requestURI'].partition('?')[0]}"
    return f"{event['verb']} {target['resource']}" + (f"/{target['subresource']}" if "subresource" in target else "")


def _name(event: Json) -> str:
    return str(event.get("objectRef", {}).get("name", ""))
