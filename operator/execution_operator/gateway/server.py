"""The gateway's process: the watch, the HTTP server, certificate renewal and shutdown."""

import asyncio
import logging
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from execution_operator.gateway.app import Gateway
from execution_operator.gateway.caller import MAX_PARALLEL_CALLS, Caller
from execution_operator.gateway.index import Index
from execution_operator.gateway.limits import Limits
from execution_operator.gateway.terminate import Options, TerminateService
from execution_operator.kube.client import Api, collection
from execution_operator.kube.config import anonymous, load_configuration
from execution_operator.kube.watch import Selection, Watch

logger = logging.getLogger(__name__)

SHUTDOWN_TIMEOUT_SECONDS = 5
"""Seconds that calls may take to end after SIGTERM. Calls that wait for an outcome are answered at once."""

CERTIFICATE_CHECK_INTERVAL_SECONDS = 10.0
"""Interval at which the certificate files are checked for a renewal."""


@dataclass(frozen=True)
class Address:
    """The address to listen on, and the files of the certificate."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None


class Server(uvicorn.Server):
    """An HTTP server that answers all waiting calls before it shuts down."""

    def __init__(self, config: uvicorn.Config, service: TerminateService) -> None:
        super().__init__(config)
        self._service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the waiting calls, and shut down."""
        self._service.stop()
        await super().shutdown(sockets)


async def serve(address: Address, options: Options, limits: Limits) -> None:
    """Run the gateway until SIGTERM or SIGINT."""
    configuration = await load_configuration()
    api, bare = Api(configuration), Api(anonymous(configuration))
    index, slots = Index(), asyncio.Semaphore(MAX_PARALLEL_CALLS)
    service = TerminateService(index, options)
    gateway = Gateway(index, service, lambda token: Caller(bare.with_token(token), slots), limits)
    config = uvicorn.Config(
        gateway.app,
        host=address.host,
        port=address.port,
        ssl_certfile=address.certificate,
        ssl_keyfile=address.key,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
    )
    config.load()
    watch = Watch(api, Selection(collection("executions")), index.changed, index.listed)
    tasks = [asyncio.create_task(watch.run()), asyncio.create_task(_renew(config, address))]
    try:
        await _until_done(Server(config, service), tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await api.close()
        await bare.close()


async def _until_done(server: Server, tasks: list[asyncio.Task[None]]) -> None:
    """Serve until the server stops or a background task ends."""
    serving = asyncio.create_task(server.serve())
    done, _ = await asyncio.wait([serving, *tasks], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for task in done - {serving}:
        task.result()


async def _renew(config: uvicorn.Config, address: Address) -> None:
    """Load a renewed certificate for new connections, without a restart."""
    if config.ssl is None or address.certificate is None:
        await asyncio.Event().wait()
        return
    loaded = _modification_times(address)
    while True:
        await asyncio.sleep(CERTIFICATE_CHECK_INTERVAL_SECONDS)
        if (now := _modification_times(address)) != loaded:
            try:
                config.ssl.load_cert_chain(address.certificate, address.key)
            except OSError as error:  # a file may be half written: the next check is soon
                logger.warning("the renewed certificate can't be loaded yet: %s", error)
                continue
            loaded = now
            logger.info("the renewed certificate is loaded")


def _modification_times(address: Address) -> tuple[int, ...]:
    with suppress(OSError):
        return tuple(file.stat().st_mtime_ns for file in (address.certificate, address.key) if file)
    return ()


def run(address: Address, options: Options, limits: Limits) -> int:
    """Run the gateway, and return the exit code of the process."""
    if address.certificate is None and address.host not in ("127.0.0.1", "::1", "localhost"):
        logger.warning("tokens are sent unencrypted: set --tls-cert-file, or put a TLS proxy in front of the gateway")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # while it serves, uvicorn's own handler applies
    try:
        asyncio.run(serve(address, options, limits))
    except KeyboardInterrupt:
        return 0
    except Exception:
        logger.exception("the gateway ended with an error")
        return 1
    return 0
