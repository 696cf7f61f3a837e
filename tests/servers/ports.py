"""Free loopback ports that a server can have again after a restart."""

from __future__ import annotations

import random
import socket
from pathlib import Path

_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_ATTEMPTS = 200


def free_port() -> int:
    """Return a loopback TCP port that nothing uses at this moment.

    It lies below the range from which the kernel serves outgoing connections: from inside
    that range, a client that reconnects to a stopped server could be given the server's own
    port and keep it.
    """
    ephemeral_start = int(_EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    for _ in range(_ATTEMPTS):
        port = random.randrange(_LOWEST, max(ephemeral_start, _LOWEST + 1000))
        if _can_bind(port):
            return port
    raise RuntimeError(f"no free port in {_ATTEMPTS} attempts below {ephemeral_start}")


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
