"""The HTTP server for the kubelet's probes and for Prometheus."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from execution_operator.telemetry.metrics import REGISTRY


class HttpServer:
    """Serves /healthz, /readyz and /metrics.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        unhealthy: Returns why the process must be restarted; None where it is healthy.
        unready: Returns why the operator is not ready; None where it is.
        refresh: Called before the metrics are rendered.
    """

    def __init__(
        self,
        host: str,
        port: int,
        unhealthy: Callable[[], str | None],
        unready: Callable[[], str | None],
        refresh: Callable[[], None],
    ) -> None:
        self._host = host
        self._port = port
        self._unhealthy = unhealthy
        self._unready = unready
        self._refresh = refresh

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
        return _verdict(self._unhealthy())  # an answer at all shows that the loop turns

    async def _readyz(self, _: web.Request) -> web.Response:
        return _verdict(self._unready())

    async def _metrics(self, _: web.Request) -> web.Response:
        self._refresh()
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _verdict(complaint: str | None) -> web.Response:
    return web.Response(text=f"{complaint or 'ok'}\n", status=503 if complaint else 200)
