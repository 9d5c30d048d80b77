"""Programs and temporary folders that cannot outlive the test run, held through `guard.py`."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

GUARD = [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))]


class GuardedFolder:
    """A temporary folder that is removed at the end of the run, once no server uses it any more."""

    def __init__(self, prefix: str = "execution-operator-", parent: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        reading, self.pipe = os.pipe()
        command = [*GUARD, "folder", str(self.path)]
        self._guard = subprocess.Popen(command, stdin=reading, start_new_session=True)
        os.close(reading)
        self._given_up = False

    def remove(self) -> None:
        """Let the guard remove the folder, and wait for that. The guard waits for the servers that use the folder."""
        if not self._given_up:
            self._given_up = True
            os.close(self.pipe)
            self._guard.wait(10)

    def __enter__(self) -> Self:
        """Use the folder for a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the folder at the end of the block."""
        self.remove()


class GuardedProcess:
    """A program that writes to a log in its folder and ends with the test run at the latest."""

    def __init__(
        self,
        command: Sequence[str | Path],
        folder: GuardedFolder,
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        with log.open("ab") as output:
            self._guard = subprocess.Popen(
                [*GUARD, "server", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                pass_fds=[folder.pipe],  # the folder's guard waits for this one
                start_new_session=True,  # Ctrl-C in the terminal reaches the run, not its guards
                cwd=cwd,
                env=env,
            )
        self.pid = self._read_pid()

    def poll(self) -> int | None:
        """Return the exit code, or None while the program runs."""
        return self._guard.poll()

    def wait(self, seconds: float | None = None) -> int:
        """Wait for the program to end by itself. Raise TimeoutExpired if it takes longer."""
        return self._guard.wait(seconds)

    def stop(self) -> None:
        """Send SIGTERM, then SIGKILL if the program does not end."""
        self._close()
        self._guard.wait()

    def kill(self) -> None:
        """Kill the program with SIGKILL."""
        self.signal(signal.SIGKILL)
        self._guard.wait()
        self._close()

    def signal(self, number: signal.Signals) -> None:
        """Signal the program's process group. SIGSTOP and SIGCONT pause and resume a server."""
        if self._guard.poll() is None:
            os.killpg(self.pid, number)

    def _close(self) -> None:
        for stream in (self._guard.stdin, self._guard.stdout):
            if stream is not None:
                stream.close()

    def _read_pid(self) -> int:
        assert self._guard.stdout is not None
        line = self._guard.stdout.readline()
        if not line:
            raise RuntimeError(f"could not start {self._guard.args!r}:\n{tail(self.log)}")
        return int(line)


def tail(log: Path, lines: int = 20) -> str:
    """Return the last lines of a log, for error messages."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
