"""A TLS endpoint in front of Temporal that wants a client certificate, as hosted Temporal does. Runs in a pod.

    mtls_proxy.py PORT UPSTREAM-HOST UPSTREAM-PORT FOLDER

The folder holds its own tls.crt and tls.key, and clients.crt: whose certificates it takes.
"""

import asyncio
import contextlib
import ssl
import sys
from functools import partial
from pathlib import Path

from tests.support.tls_stream import Plain, Tls


def context(folder: Path) -> ssl.SSLContext:
    """Return what is asked of callers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    context.load_verify_locations(folder / "clients.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])
    return context


async def accept(
    host: str, port: int, tls: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Let one caller through to Temporal, if its certificate is good."""
    caller = Tls(reader, writer, tls)
    try:
        await caller.shake_hands()
        upper = Plain(*await asyncio.open_connection(host, port))
        ways = [asyncio.create_task(way) for way in (pump(caller, upper), pump(upper, caller))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        upper.close()
    except OSError as error:
        print(f"turned away: {error}", flush=True)
    finally:
        caller.close()


async def pump(source: Plain, target: Plain) -> None:
    """Pass on what comes, until nothing more does."""
    with contextlib.suppress(OSError):
        while data := await source.read():
            target.write(data)


async def main(port: str, host: str, upstream: str, folder: str) -> None:
    """Serve for ever."""
    handler = partial(accept, host, int(upstream), context(Path(folder)))
    server = await asyncio.start_server(handler, port=int(port))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
