"""The base class of the test servers. They start in parallel, and a failure shows the end of the server's log."""

import abc
import shutil
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.support.process import GuardedProcess, tail
from tests.support.waiting import wait_for


class Server(abc.ABC):
    """A server that starts and stops by method calls or with a `with` block."""

    @abc.abstractmethod
    def start(self) -> None:
        """Return once it serves."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the server and remove its data. Does nothing if it does not run."""

    def __enter__(self) -> Self:
        """Start the server. If that fails, stop it."""
        start_all(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at the end of the block."""
        self.stop()


def start_all(*servers: Server) -> None:
    """Start the servers at the same time. If one fails, or on Ctrl-C, stop all of them and raise the error."""
    errors: list[BaseException] = []

    def start(server: Server) -> None:
        try:
            server.start()
        except BaseException as error:  # noqa: BLE001 (it is raised below)
            errors.append(error)

    threads = [threading.Thread(target=start, args=[server], daemon=True) for server in servers]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except KeyboardInterrupt as error:
        errors.append(error)
    if errors:
        for server in servers:
            server.stop()
        raise errors[0]


def wait_until_ready(name: str, process: GuardedProcess, is_ready: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until the server serves. If it ends or takes too long, raise an error with the end of its log."""

    def is_settled() -> bool:
        return process.poll() is not None or is_ready()

    try:
        wait_for(is_settled, f"{name} to serve", seconds)
    except TimeoutError as error:
        raise RuntimeError(_explain(str(error), process)) from error
    if process.poll() is not None:
        raise RuntimeError(_explain(f"{name} ended with code {process.poll()}", process))


def answers(url: str, tls: ssl.SSLContext | None = None) -> bool:
    """Return whether the URL responds with success."""
    try:
        urllib.request.urlopen(url, context=tls, timeout=5).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False
    return True


def _explain(what: str, process: GuardedProcess) -> str:
    """Copy the log, because the server's folder will be removed. Return the message."""
    kept = Path(tempfile.mkdtemp(prefix="execution-operator-log-")) / process.log.name
    shutil.copyfile(process.log, kept)
    return f"{what}; the end of its log (all of it: {kept}):\n{tail(process.log)}"
