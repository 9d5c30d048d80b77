"""The metrics of the gateway."""

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from execution_operator.gateway.index import Index

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics: calls by route and status, their durations, and the size of the index."""

    def __init__(self, index: Index) -> None:
        self._registry = CollectorRegistry()
        self.calls = Counter(
            "execution_gateway_requests_total", "Answered calls.", ["route", "code"], registry=self._registry
        )
        self.seconds = Histogram(
            "execution_gateway_request_duration_seconds",
            "Time from the arrival of a call to its answer.",
            ["route"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self.outcomes = Counter(
            "execution_gateway_terminations_total",
            "Answers for single Executions, including those of bulk calls.",
            ["code"],
            registry=self._registry,
        )
        self._gauge("execution_gateway_executions", "Executions in the index.", lambda: len(index))
        self._gauge("execution_gateway_waiting", "Calls that wait for an outcome.", lambda: index.waiting)
        self._gauge("execution_gateway_synced", "1 once the index is complete.", lambda: index.synced)

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        Gauge(name, help_text, registry=self._registry).set_function(value)


class MetricsMiddleware:
    """ASGI middleware that counts the calls of the API by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application, and count its answer."""
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        route = "bulk" if scope["path"] == "/api/v1/executions/terminate" else "single"
        started = time.monotonic()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.calls.labels(route, str(message["status"])).inc()
                self._metrics.seconds.labels(route).observe(time.monotonic() - started)
            await send(message)

        await self._app(scope, receive, counted)
