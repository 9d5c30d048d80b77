"""What the servers have in common: start together, and fail with the log in view."""

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
    """Something that starts and stops, by hand or with a `with` block."""

    @abc.abstractmethod
    def start(self) -> None:
        """Return once it serves."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End it and remove what it has stored; harmless where it does not run."""

    def __enter__(self) -> Self:
        """Start, or leave nothing behind."""
        start_all(self)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop at the end of the block."""
        self.stop()


def start_all(*servers: Server) -> None:
    """Start the servers at the same time; if one fails, or Ctrl-C comes, stop them all and raise that."""
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
    """Wait until the server serves; if it ends or takes too long, show its last words and where the rest is."""

    def is_settled() -> bool:
        return process.poll() is not None or is_ready()

    try:
        wait_for(is_settled, f"{name} to serve", seconds)
    except TimeoutError as error:
        raise RuntimeError(_explain(str(error), process)) from error
    if process.poll() is not None:
        raise RuntimeError(_explain(f"{name} ended with code {process.poll()}", process))


def answers(url: str, tls: ssl.SSLContext | None = None) -> bool:
    """Tell whether the URL answers with success."""
    try:
        urllib.request.urlopen(url, context=tls, timeout=5).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return False
    except OSError:
        return False
    return True


def _explain(what: str, process: GuardedProcess) -> str:
    """Keep the log, since the server's folder is about to vanish."""
    kept = Path(tempfile.mkdtemp(prefix="execution-operator-log-")) / process.log.name
    shutil.copyfile(process.log, kept)
    return f"{what}; its last words (all: {kept}):\n{tail(process.log)}"
