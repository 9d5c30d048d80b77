"""The guard process: whatever ends a test run, its servers and their temporary folders end too.

Run as a program of its own (`python -I -S guard.py …`, standard library only, a few milliseconds). Its standard
input is a pipe from the test run; the end of input means that the run is over, closed the pipe, or was killed.

    guard.py server COMMAND…    runs a server until the end of input: TERM, then KILL, to its whole process group
    guard.py folder FOLDER      removes the folder at the end of input
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

GRACE_SECONDS = 2.0


def main(mode: str, *arguments: str) -> int:
    """Guard a folder or a server, by the mode, until the end of input."""
    if mode == "folder":
        return remove_folder(*arguments)
    return run_server(list(arguments))


def remove_folder(folder: str) -> int:
    """Remove the folder once the other end of the pipe is closed, by the run and by all of its servers."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wait_for_end_of_input()
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def run_server(command: list[str]) -> int:
    """Run the server in its own process group, print its process ID, and return its exit code."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, process_group=0)

    def terminate(_signal: int, _frame: FrameType | None) -> None:
        signal_group(server.pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, terminate)
    print(server.pid, flush=True)
    threading.Thread(target=stop_at_end_of_input, args=(server.pid,), daemon=True).start()
    code = server.wait()
    signal_group(server.pid, signal.SIGKILL)  # what the server itself has left behind
    return code if code >= 0 else 128 - code


def stop_at_end_of_input(group: int) -> None:
    """Stop the group. A paused group is resumed first, so that it can stop."""
    wait_for_end_of_input()
    signal_group(group, signal.SIGTERM)
    signal_group(group, signal.SIGCONT)
    time.sleep(GRACE_SECONDS)
    signal_group(group, signal.SIGKILL)


def wait_for_end_of_input() -> None:
    """Read past Python's buffers, whose lock a thread must not hold when the interpreter ends."""
    while os.read(0, 1024):
        pass


def signal_group(group: int, number: int) -> None:
    """Signal every process of the group, if any is left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
