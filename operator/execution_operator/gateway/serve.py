"""The gateway as a process: the watch, the HTTP server, its certificate, its end."""

import asyncio
import logging
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from execution_operator.gateway.app import Gateway
from execution_operator.gateway.caller import AT_ONCE, Caller
from execution_operator.gateway.index import Index
from execution_operator.gateway.limits import Limits
from execution_operator.gateway.terminate import Options, TerminateService
from execution_operator.kube.client import Api, collection
from execution_operator.kube.config import anonymous, load_configuration
from execution_operator.kube.watch import Selection, Watch

logger = logging.getLogger(__name__)

GRACE = 5
"""Seconds that answers may take after SIGTERM. Who waits for an outcome is answered at once."""

RENEWAL = 10.0
"""Seconds between two looks at the certificate's files."""


@dataclass(frozen=True)
class Address:
    """Where the gateway listens, and with which certificate."""

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None


class Server(uvicorn.Server):
    """Answers those who wait before it waits for them."""

    def __init__(self, config: uvicorn.Config, act: TerminateService) -> None:
        super().__init__(config)
        self._act = act

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down."""
        self._act.stop()
        await super().shutdown(sockets)


async def serve(address: Address, manner: Options, limits: Limits) -> None:
    """Run until told to stop."""
    configuration = await load_configuration()
    api, bare = Api(configuration), Api(anonymous(configuration))
    index, turn = Index(), asyncio.Semaphore(AT_ONCE)
    act = TerminateService(index, manner)
    gateway = Gateway(index, act, lambda token: Caller(bare.with_token(token), turn), limits)
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
        timeout_graceful_shutdown=GRACE,
    )
    config.load()
    watch = Watch(api, Selection(collection("executions")), index.changed, index.listed)
    parts = [asyncio.create_task(watch.run()), asyncio.create_task(_renew(config, address))]
    try:
        await _until_done(Server(config, act), parts)
    finally:
        for part in parts:
            part.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await api.close()
        await bare.close()


async def _until_done(server: Server, parts: list[asyncio.Task[None]]) -> None:
    """Serve, unless a part ends that never should."""
    serving = asyncio.create_task(server.serve())
    done, _ = await asyncio.wait([serving, *parts], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    for part in done - {serving}:
        part.result()


async def _renew(config: uvicorn.Config, address: Address) -> None:
    """Take up a renewed certificate for new connections, without a restart."""
    if config.ssl is None or address.certificate is None:
        await asyncio.Event().wait()
        return
    stamp = _stamp(address)
    while True:
        await asyncio.sleep(RENEWAL)
        if (now := _stamp(address)) != stamp:
            try:
                config.ssl.load_cert_chain(address.certificate, address.key)
            except OSError as error:  # half written: the next look is soon
                logger.warning("the renewed certificate can't be used yet: %s", error)
                continue
            stamp = now
            logger.info("the certificate is renewed")


def _stamp(address: Address) -> tuple[int, ...]:
    with suppress(OSError):
        return tuple(file.stat().st_mtime_ns for file in (address.certificate, address.key) if file)
    return ()


def run(address: Address, manner: Options, limits: Limits) -> int:
    """Run the gateway; return the process's exit code."""
    if address.certificate is None and address.host not in ("127.0.0.1", "::1", "localhost"):
        logger.warning("tokens travel in the clear: give --tls-cert-file, or have TLS in front of the gateway")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # uvicorn's own handler is in force while it serves
    try:
        asyncio.run(serve(address, manner, limits))
    except KeyboardInterrupt:
        return 0
    except Exception:
        logger.exception("the gateway ended")
        return 1
    return 0
