"""Free ports on the loopback interface."""

import random
import socket

# Below the ports that Linux and macOS give to outgoing connections: a server that is stopped for a while
# finds its port free again, and a client that keeps dialling it never connects to itself.
PORTS = range(20000, 32768)
_given: set[int] = set()


def free_port() -> int:
    """Give a port that nobody listens on, and that this process has not given before."""
    while True:
        port = random.choice(PORTS)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
