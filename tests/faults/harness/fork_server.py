"""A process that imports the program once and forks operators, which saves the second that the imports take.

Usage: `python -m tests.faults.harness.fork_server SOCKET`. A client connects for each operator and sends one line of
JSON with `arguments`, `environment` and `log`. The server answers with the operator's process ID, and with its exit
code when it ends. The server forks before the program starts a thread or an event loop, so the forked process runs as
`execution-operator` does.
"""

import gc
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from execution_operator.main import main


def serve(path: str) -> None:
    """Fork an operator for each connection, forever."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        gc.freeze()
        while True:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _shepherd(connection)
                os._exit(0)
            connection.close()


def _shepherd(connection: socket.socket) -> None:
    """Start one operator, and report its exit code."""
    with connection, connection.makefile("rw") as line:
        order = json.loads(line.readline())
        pid = os.fork()
        if not pid:
            os.close(connection.fileno())
            _become(order)
        print(pid, file=line, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=line, flush=True)


def _become(order: dict[str, Any]) -> None:
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["execution-operator", *order["arguments"]]
    try:
        main()
    finally:
        os._exit(1)


if __name__ == "__main__":
    serve(str(Path(sys.argv[1])))
