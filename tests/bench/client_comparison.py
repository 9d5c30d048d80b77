"""Compares ways to terminate many workflows: patch and watch, the REST call, `kubectl patch` in a loop, the plugin.

python -m tests.bench.client_comparison [--calls 500] [--rounds 1] [--bulk 1000] [--prompt 1000]
"""

import argparse
import asyncio
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable

import aiohttp

from execution_operator.kube.client import Api, collection
from execution_operator.kube.config import load_configuration
from execution_operator.kube.watch import Change, Selection, Watch
from tests.support.gateway import Account, Gateway
from tests.support.plugin import environment, execution
from tests.support.stack import API_VERSION, LocalStack
from tests.support.waiting import wait_for
from tests.support.workflows import TASK_QUEUE, Agent

NAMESPACE, CONCURRENCY, REASON = "team-a", 50, "measured"
EXECUTIONS = collection("executions", NAMESPACE)


class ClientComparison:
    """A local stack with batches of Executions whose workflows run."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.kubeconfig = stack.control_plane.admin_kubeconfig

    def batch(self, label: str, size: int) -> list[str]:
        """Start workflows and create their Executions. Return the names once the operator has pinned all runs."""
        names = [f"{label}-{number}" for number in range(size)]
        client = self.stack.samples.client
        start = _each(names, lambda name: client.start_workflow(Agent.run, id=name, task_queue=TASK_QUEUE))
        self.stack.samples.do(start, 300)
        asyncio.run(self._create(label, names))
        wait_for(lambda: self._running(label) == size, "the operator to see them all", 300, interval=1)
        return names

    async def _create(self, label: str, names: list[str]) -> None:
        api = Api(await load_configuration(self.kubeconfig))

        def manifest(name: str) -> dict[str, object]:
            metadata = {"name": name, "labels": {"batch": label}}
            return {"apiVersion": API_VERSION, "kind": "Execution", "metadata": metadata, "spec": {"executionId": name}}

        await _each(names, lambda name: api.create(EXECUTIONS, manifest(name)))
        await api.close()

    def _running(self, label: str) -> int:
        query = ("get", "executions", "--namespace", NAMESPACE, f"--selector=batch={label}", "--output")
        phases = self.stack.control_plane.kubectl(*query, "jsonpath={.items[*].status.phase}").stdout.split()
        return phases.count("running")

    async def by_patch(self, names: list[str]) -> list[float]:
        """Patch all at the same time, and watch until they are cancelled. Return the seconds of each."""
        api = Api(await load_configuration(self.kubeconfig))
        ended = {name: asyncio.Event() for name in names}

        def changed(change: Change) -> None:
            name, status = change.object["metadata"]["name"], change.object.get("status", {})
            if name in ended and status.get("phase") == "cancelled":
                ended[name].set()

        slots = asyncio.Semaphore(64)

        async def one(name: str) -> float:
            started = time.perf_counter()
            async with slots:
                await api.merge(f"{EXECUTIONS}/{name}", {"spec": {"terminate": {"reason": REASON}}})
            await ended[name].wait()
            return time.perf_counter() - started

        watch = asyncio.create_task(Watch(api, Selection(EXECUTIONS), changed).run())
        try:
            return await asyncio.gather(*map(one, names))
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await api.close()

    async def by_rest(self, gateway: Gateway, token: str, names: list[str]) -> tuple[list[float], list[int]]:
        """Make one REST call for each at the same time. Return the seconds and the HTTP status of each."""
        headers = {"Authorization": f"Bearer {token}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(gateway.url, headers=headers, connector=connector) as client:

            async def one(name: str) -> tuple[float, int]:
                started = time.perf_counter()
                async with client.post(f"/api/v1/executions/{name}/terminate", json={"reason": REASON}) as answer:
                    await answer.read()
                return time.perf_counter() - started, answer.status

            answers = await asyncio.gather(*map(one, names))
        return [seconds for seconds, _ in answers], [status for _, status in answers]

    async def by_bulk(self, gateway: Gateway, token: str, names: list[str]) -> tuple[float, list[int]]:
        """Make one bulk call for all. Return its seconds, and the status of each result."""
        async with gateway.client(token) as client:
            started = time.perf_counter()
            body = {"execution_ids": names, "reason": REASON}
            answer = await client.post("/api/v1/executions/terminate", json=body)
            seconds = time.perf_counter() - started
        return seconds, [result["status"] for result in answer.json()["results"]]

    def by_loop(self, names: list[str]) -> float:
        """Run `kubectl patch` for each, 8 at the same time. Return the total seconds."""
        patch = shlex.quote(f'{{"spec":{{"terminate":{{"reason":"{REASON}"}}}}}}')
        command = f"xargs -P8 -I% kubectl patch execution % -n {NAMESPACE} --type=merge -p {patch}"
        started = time.perf_counter()
        shell = ["/bin/sh", "-c", command]
        text = "\n".join(names)
        subprocess.run(
            shell, input=text, env=environment(self.kubeconfig), text=True, check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - started

    def by_plugin(self, label: str) -> float:
        """Run the plugin once for all. Return its seconds."""
        started = time.perf_counter()
        words = ("terminate", "-n", NAMESPACE, "-l", f"batch={label}", "--reason", REASON)
        result = execution(self.kubeconfig, *words)
        if result.returncode:
            raise RuntimeError(result.stderr)
        return time.perf_counter() - started


async def _each(names: Iterable[str], do: Callable[[str], Awaitable[object]]) -> None:
    """Run an action for each name, with limited concurrency."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(name: str) -> None:
        async with slots:
            await do(name)

    await asyncio.gather(*map(one, names))


def main() -> int:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.client_comparison", description=__doc__)
    parser.add_argument("--calls", type=int, default=500, help="concurrent REST calls (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=1, help="of those (default: %(default)s)")
    parser.add_argument("--bulk", type=int, default=1000, help="in one REST call (default: %(default)s)")
    parser.add_argument("--prompt", type=int, default=1000, help="terminations at the prompt (default: %(default)s)")
    arguments = parser.parse_args()
    with LocalStack() as stack:
        stack.organization("acme", NAMESPACE, owned=False)
        stack.namespace("callers")
        comparison = ClientComparison(stack)
        with Gateway(stack.control_plane) as gateway:
            caller = Account(stack.control_plane, "callers", "bench")
            caller.bind(NAMESPACE, "execution-editor", "execution-terminator")
            if arguments.calls:
                _rest(comparison, gateway, caller.token, [arguments.calls] * arguments.rounds)
            if arguments.bulk:
                _bulk(comparison, gateway, caller.token, arguments.bulk)
        if arguments.prompt:
            _prompt(comparison, arguments.prompt)
    return 0


def _rest(comparison: ClientComparison, gateway: Gateway, token: str, rounds: list[int]) -> None:
    by_patch: list[float] = []
    by_rest: list[float] = []
    statuses: list[int] = []
    for round_, calls in enumerate(rounds):
        by_patch += asyncio.run(comparison.by_patch(comparison.batch(f"hand{round_}", calls)))
        seconds, codes = asyncio.run(comparison.by_rest(gateway, token, comparison.batch(f"rest{round_}", calls)))
        by_rest, statuses = by_rest + seconds, statuses + codes
    hand, rest = statistics.median(by_patch), statistics.median(by_rest)
    print(f"{rounds} at once: patch and watch p50 {hand:.2f} s, REST p50 {rest:.2f} s: {rest / hand:.2f} times")
    print(f"  answers of 200: {statuses.count(200)} of {len(statuses)}")


def _bulk(comparison: ClientComparison, gateway: Gateway, token: str, count: int) -> None:
    seconds, statuses = asyncio.run(comparison.by_bulk(gateway, token, comparison.batch("bulk", count)))
    print(f"{count} in one REST call: {seconds:.1f} s, results of 200: {statuses.count(200)} of {len(statuses)}")


def _prompt(comparison: ClientComparison, count: int) -> None:
    loop = comparison.by_loop(comparison.batch("loop", count))
    comparison.batch("plugin", count)
    plugin = comparison.by_plugin("plugin")
    print(
        f"{count} at the prompt: xargs -P8 kubectl patch {loop:.1f} s, plugin {plugin:.1f} s: {loop / plugin:.1f} times"
    )


if __name__ == "__main__":
    sys.exit(main())
