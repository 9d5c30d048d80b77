"""A line of progress for each long step."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.process import GuardedFolder, GuardedProcess, tail


def say(message: str) -> None:
    """Print a message on stderr. stdout is for results."""
    print(message, file=sys.stderr, flush=True)


def run_step(
    title: str, command: Sequence[str | Path], folder: GuardedFolder, *, cwd: Path | None = None, env: Mapping[str, str]
) -> None:
    """Run a long command and print its title and duration. Raise RuntimeError if the command fails."""
    log = folder.path / "step.log"
    step = GuardedProcess(command, folder, log, cwd=cwd, env=env)
    started = time.monotonic()
    try:
        _report_until_done(step, title, started)
    finally:
        step.stop()
    if step.poll() != 0:
        raise RuntimeError(f"{title}: failed\n{tail(log)}")


def _report_until_done(step: GuardedProcess, title: str, started: float) -> None:
    terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    start, end, interval = ("\r\033[K", "", 1.0) if terminal else ("", "\n", 30.0)
    print(f"{title} …", end=end, file=sys.stderr, flush=True)
    while _is_running(step, interval):
        print(f"{start}{title} … {time.monotonic() - started:.0f} s", end=end, file=sys.stderr, flush=True)
    print(f"{start}{title}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


def _is_running(step: GuardedProcess, seconds: float) -> bool:
    try:
        step.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False
