"""Many requests wait through an outage of Temporal: how often it is called meanwhile, and how soon all are settled.

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
from tests.bench.gate import Gate
from tests.support.operator import Operator
from tests.support.stack import API_VERSION, LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import TASK_QUEUE, Agent

NAMESPACE, AT_ONCE = "crowd", 50
LONGEST = 600
"""Seconds after the end of the outage when it is given up."""

EXECUTIONS = collection("executions", NAMESPACE)


async def each(names: Iterable[str], do: Callable[[str], Awaitable[object]]) -> None:
    """Do something for each name, some at once."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> None:
        async with slots:
            await do(name)

    await asyncio.gather(*(one(name) for name in names))


async def with_api(kubeconfig: Path, do: Callable[[Api], Awaitable[object]]) -> None:
    """Do something with the API server."""
    api = Api(await load_configuration(kubeconfig))
    try:
        await do(api)
    finally:
        await api.close()


class Crowd:
    """Workflows without a worker, and their Executions."""

    def __init__(self, stack: LocalStack, size: int) -> None:
        self.stack = stack
        self.names = [f"one-{number}" for number in range(size)]

    def gather(self) -> None:
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

    def ask(self) -> None:
        """Ask for the termination of all."""
        request = {"spec": {"terminate": {"reason": "outage"}}}
        self._all(lambda api, name: api.merge(f"{EXECUTIONS}/{name}", request))

    def count(self, selector: str) -> int:
        """Count those that a field selector selects."""
        arguments = ("get", "executions", f"--namespace={NAMESPACE}", f"--field-selector={selector}", "--output=name")
        return len(self.stack.control_plane.kubectl(*arguments).stdout.splitlines())

    async def settled(self, api: Api) -> None:
        """Wait until none waits for its answer, at little cost to those that are being measured."""
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


def measure(stack: LocalStack, gate: Gate, size: int, seconds: float) -> None:
    """Run the outage and print what was seen."""
    crowd, start = Crowd(stack, size), time.monotonic()
    crowd.gather()
    _say(f"{size} Executions pinned after {time.monotonic() - start:.0f} s")
    gate.shut()
    start = time.monotonic()
    crowd.ask()
    _say(f"{size} requests made in {time.monotonic() - start:.0f} s, Temporal being away")
    time.sleep(max(0.0, seconds - (time.monotonic() - start)))
    took, attempts = time.monotonic() - start, gate.attempts
    _say(f"outage of {took:.0f} s: {attempts} attempts to reach Temporal, {attempts / took:.2f} a second")
    _say(f"waiting visibly: {crowd.count(UNANSWERED)} unanswered")
    gate.open()
    start = time.monotonic()
    asyncio.run(asyncio.wait_for(with_api(stack.control_plane.admin_kubeconfig, crowd.settled), LONGEST))
    settled = time.monotonic() - start
    ended = crowd.count("status.termination.outcome=Terminated")
    _say(f"all settled {settled:.0f} s after its return; {ended} Terminated")


def main() -> None:
    """Run the benchmark."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=120)
    arguments = parser.parse_args()
    with LocalStack(temporal_namespace="solo") as stack, Gate(stack.temporal.address) as gate:
        stack.operator.end()
        stack.operator = Operator(stack.control_plane, gate.address)
        stack.operator.start()
        stack.organization("crowd", NAMESPACE, temporal="solo", owned=False)
        measure(stack, gate, arguments.executions, arguments.seconds)


if __name__ == "__main__":
    main()
