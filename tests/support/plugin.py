"""Runs the plugin as users do: by kubectl, in its own process, with or without a terminal."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from subprocess import CompletedProcess
from typing import Self

from tests.support.cluster import KUBECTL

SCRIPTS = Path(sys.executable).parent


def environment(kubeconfig: Path, **more: str) -> dict[str, str]:
    """Return the environment of a user with this kubeconfig and the plugin on the PATH."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("KUBE", "TEMPORAL_"))}
    path = f"{SCRIPTS}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "KUBECONFIG": str(kubeconfig), "TEMPORAL_CONFIG_FILE": os.devnull, **more}


def execution(kubeconfig: Path, *words: str, **more: str) -> CompletedProcess[str]:
    """Run `kubectl execution …` without a terminal, and return its result."""
    return subprocess.run(
        [str(KUBECTL), "execution", *words],
        env=environment(kubeconfig, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


class Terminal:
    """The plugin in its own terminal, into which a test can type."""

    def __init__(self, kubeconfig: Path, *words: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [SCRIPTS / "kubectl-execution", *words],
            env=environment(kubeconfig, TERM="xterm", COLUMNS="120", LINES="40"),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.screen = ""

    def __enter__(self) -> Self:
        """Return the terminal."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, and close the terminal."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._master)

    def until(self, words: str, seconds: float = 30) -> None:
        """Read the output until it contains the words.

        Raises:
            TimeoutError: The words were not printed in time.
        """
        end = time.monotonic() + seconds
        while words not in self.screen:
            if not self._read(end - time.monotonic()):
                raise TimeoutError(f"{words!r} was not printed; this was:\n{self.screen}")

    def type(self, line: str) -> None:
        """Type a line, and press Enter."""
        os.write(self._master, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self, seconds: float = 60) -> int:
        """Read the output to its end, and return the exit code.

        Raises:
            TimeoutError: The process did not end in time.
        """
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        try:
            return self._process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise TimeoutError(f"the process did not end; this was printed:\n{self.screen}") from error

    def _read(self, seconds: float) -> bool:
        """Read available output. Return False if there was none in time, or the process has closed the terminal."""
        ready, _, _ = select.select([self._master], [], [], max(0, seconds))
        try:
            content = os.read(self._master, 65536) if ready else b""
        except OSError:  # the process has closed the terminal
            return False
        self.screen += content.decode(errors="replace")
        return bool(content)
