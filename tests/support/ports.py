"""Free ports on the loopback interface."""

import fcntl
import functools
import os
import random
import socket
import tempfile
from pathlib import Path

# Below the ports that Linux and macOS give to outgoing connections: a server that is stopped for a while
# finds its port free again, and a client that keeps dialling it never connects to itself.
PORTS = range(20000, 32768)

_given: set[int] = set()


def free_port() -> int:
    """Return a port without a listener that no test process of this user has got yet."""
    while True:
        port = random.choice(PORTS)
        if _reserve(port) and _is_free(port):
            return port


def _reserve(port: int) -> bool:
    """Lock the port's byte of a file until this process ends, because a server binds its port later, or again."""
    if port in _given:  # a process' own locks don't shut it out
        return False
    reservations = reservations_file()
    try:
        fcntl.lockf(reservations, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
    except BlockingIOError:
        return False
    _given.add(port)
    return True


@functools.cache
def reservations_file() -> int:
    """Open the file that all tests of the user share. It stays open, because closing it would release the locks."""
    file = Path(tempfile.gettempdir()) / f"execution-operator-ports-{os.getuid()}.lock"
    return os.open(file, os.O_CREAT | os.O_RDWR)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
