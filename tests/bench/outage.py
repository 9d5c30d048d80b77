"""Measures an outage of Temporal with many pending requests: the calls during the outage, and the time to recover.

python -m tests.bench.outage [--executions 10000] [--seconds 120]
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path

from execution_operator.kube.client import Api, collection
from execution_operator.kube.config import load_configuration
from execution_operator.kube.records import UNANSWERED
from tests.bench.tcp_proxy import TcpProxy
from tests.support.operator import Operator
from tests.support.stack import API_VERSION, LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import TASK_QUEUE, Agent

NAMESPACE, CONCURRENCY = "crowd", 50
SETTLE_TIMEOUT_SECONDS = 600
"""Time after the outage in which all requests must have an outcome."""

EXECUTIONS = collection("executions", NAMESPACE)


async def each(names: Iterable[str], do: Callable[[str], Awaitable[object]]) -> None:
    """Run an action for each name, with limited concurrency."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(name: str) -> None:
        async with slots:
            await do(name)

    await asyncio.gather(*(one(name) for name in names))


async def with_api(kubeconfig: Path, do: Callable[[Api], Awaitable[object]]) -> None:
    """Run an action with a client of the API server."""
    api = Api(await load_configuration(kubeconfig))
    try:
        await do(api)
    finally:
        await api.close()


class Load:
    """Workflows without a worker, and their Executions."""

    def __init__(self, stack: LocalStack, size: int) -> None:
        self.stack = stack
        self.names = [f"one-{number}" for number in range(size)]

    def prepare(self) -> None:
        """Start the workflows, create the Executions, and wait until the operator has pinned them all."""
        client = self.stack.samples.client
        start = each(
            self.names,
            lambda name: client.start_workflow(
                Agent.run, id=name, task_queue=f"no-{TASK_QUEUE}", execution_timeout=timedelta(days=1)
            ),
        )
        self.stack.samples.do(start, seconds=1200)
        self._all(lambda api, name: api.create(EXECUTIONS, _manifest(name)))
        wait_for(lambda: self.count("status.phase=running") == len(self.names), "all to be pinned", 1200, 1)

    def request_termination(self) -> None:
        """Request the termination of all."""
        request = {"spec": {"terminate": {"reason": "outage"}}}
        self._all(lambda api, name: api.merge(f"{EXECUTIONS}/{name}", request))

    def count(self, selector: str) -> int:
        """Count the Executions that a field selector selects."""
        arguments = ("get", "executions", f"--namespace={NAMESPACE}", f"--field-selector={selector}", "--output=name")
        return len(self.stack.control_plane.kubectl(*arguments).stdout.splitlines())

    async def settled(self, api: Api) -> None:
        """Wait until no request is pending, with one cheap GET a second."""
        while (await api.get(EXECUTIONS, limit="1", fieldSelector=UNANSWERED))["items"]:  # noqa: ASYNC110 (one GET tells)
            await asyncio.sleep(1)

    def _all(self, do: Callable[[Api, str], Awaitable[object]]) -> None:
        async def run(api: Api) -> None:
            await each(self.names, lambda name: do(api, name))

        asyncio.run(with_api(self.stack.control_plane.admin_kubeconfig, run))


def _manifest(name: str) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Execution",
        "metadata": {"name": name},
        "spec": {"executionId": name},
    }


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def measure(stack: LocalStack, proxy: TcpProxy, size: int, seconds: float) -> None:
    """Run the outage and print the figures."""
    load, start = Load(stack, size), time.monotonic()
    load.prepare()
    _say(f"{size} Executions pinned after {time.monotonic() - start:.0f} s")
    proxy.block()
    start = time.monotonic()
    load.request_termination()
    _say(f"{size} requests made in {time.monotonic() - start:.0f} s, Temporal being away")
    time.sleep(max(0.0, seconds - (time.monotonic() - start)))
    took, attempts = time.monotonic() - start, proxy.attempts
    _say(f"outage of {took:.0f} s: {attempts} attempts to reach Temporal, {attempts / took:.2f} a second")
    _say(f"waiting visibly: {load.count(UNANSWERED)} unanswered")
    proxy.unblock()
    start = time.monotonic()
    asyncio.run(asyncio.wait_for(with_api(stack.control_plane.admin_kubeconfig, load.settled), SETTLE_TIMEOUT_SECONDS))
    settled = time.monotonic() - start
    ended = load.count("status.termination.outcome=Terminated")
    _say(f"all settled {settled:.0f} s after its return; {ended} Terminated")


def main() -> None:
    """Run the benchmark."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()
    with LocalStack(temporal_namespace="solo") as stack, TcpProxy(stack.temporal.address) as proxy:
        stack.operator.end()
        stack.operator = Operator(stack.control_plane, proxy.address)
        stack.operator.start()
        stack.organization("crowd", NAMESPACE, temporal="solo", owned=False)
        measure(stack, proxy, arguments.executions, arguments.seconds)


if __name__ == "__main__":
    main()
