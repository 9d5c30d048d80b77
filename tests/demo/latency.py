"""Measures the time from a patch to the phase `cancelled` in a watch, by one client that does nothing else."""

import asyncio
import time
from pathlib import Path

from execution_operator.kube.client import Api, collection
from execution_operator.kube.config import load_configuration
from execution_operator.kube.watch import Change, Selection, Watch


def patch_to_cancelled(kubeconfig: Path, namespace: str, names: list[str]) -> list[float]:
    """Terminate the Executions one after the other. Return the seconds of each."""
    return asyncio.run(_measure(kubeconfig, namespace, names))


async def _measure(kubeconfig: Path, namespace: str, names: list[str]) -> list[float]:
    api = Api(await load_configuration(kubeconfig))
    cancelled = {name: asyncio.Event() for name in names}

    def changed(change: Change) -> None:
        name, status = change.object["metadata"]["name"], change.object.get("status", {})
        if name in cancelled and status.get("phase") == "cancelled":
            cancelled[name].set()

    path = collection("executions", namespace)
    watch = asyncio.create_task(Watch(api, Selection(path), changed).run())
    try:
        return [await _one(api, f"{path}/{name}", cancelled[name]) for name in names]
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        await api.close()


async def _one(api: Api, path: str, cancelled: asyncio.Event) -> float:
    start = time.perf_counter()
    await api.merge(path, {"spec": {"terminate": {"reason": "timed"}}})
    async with asyncio.timeout(10):
        await cancelled.wait()
    return time.perf_counter() - start
