"""Free ports on the loopback interface."""

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path

# Below the ports that Linux and macOS give to outgoing connections: a server that is stopped for a while
# finds its port free again, and a client that keeps dialling it never connects to itself.
PORTS = range(20000, 32768)


def free_port() -> int:
    """Give a port that nobody listens on, and that neither this process nor another of the user's tests was given."""
    while True:
        port = random.choice(PORTS)
        if _reserve(port) and _is_free(port):
            return port


def _reserve(port: int) -> bool:
    """Lock the port's file until this process ends: a server binds its port later, and not at all while it is down."""
    folder = Path(tempfile.gettempdir()) / f"execution-operator-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / str(port), os.O_CREAT | os.O_WRONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:  # this process' own files lock each other out, too
        os.close(lock)
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
