"""What the operator serves: probes for the kubelet and metrics for Prometheus."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from execution_operator.metrics import REGISTRY


class Web:
    """A small HTTP server.

    Args:
        host: Where to listen.
        port: Likewise.
        unready: Says why the operator can't be relied on now; None where it can.
    """

    def __init__(self, host: str, port: int, unready: Callable[[], str | None]) -> None:
        self._host = host
        self._port = port
        self._unready = unready

    async def run(self) -> None:
        """Serve until cancelled."""
        application = web.Application()
        application.router.add_get("/healthz", self._healthz)
        application.router.add_get("/readyz", self._readyz)
        application.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")  # an answer at all shows that the loop turns

    async def _readyz(self, _: web.Request) -> web.Response:
        reason = self._unready()
        return web.Response(text=f"{reason or 'ok'}\n", status=503 if reason else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
