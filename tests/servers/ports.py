"""Free loopback ports that a server can have again after a restart."""

from __future__ import annotations

import functools
import itertools
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_SHARES = 24  # processes that run tests at once; each has some 900 ports
_claims: list[socket.socket] = []  # held until the process ends


def free_port() -> int:
    """Return a loopback TCP port that nothing uses at this moment.

    It lies below the range from which the kernel serves outgoing connections: from inside
    that range, a client that reconnects to a stopped server could be given the server's own
    port and keep it. No other process that runs these tests is given it either, and this one
    not again before all others of its share.
    """
    share = _share()
    for _ in range(_ports_a_share()):
        port = next(share)
        if _can_bind(port):
            return port
    raise RuntimeError(f"all {_ports_a_share()} ports of this process are in use")


@functools.cache
def _share() -> Iterator[int]:
    """Claim a share of the ports for this process; return them in turn, without end."""
    first = _LOWEST + _claimed() * _ports_a_share()
    ports = range(first, first + _ports_a_share())
    turn = itertools.cycle(ports)
    # Where one begins is left to chance: a test may have left something behind.
    return itertools.islice(turn, random.randrange(len(ports)), None)


def _ports_a_share() -> int:
    ephemeral_start = int(_EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    return max(ephemeral_start - _LOWEST, 1000) // _SHARES


def _claimed() -> int:
    """Return the number of a share that is ours until we end.

    A name in the abstract namespace, which belongs to the same network as the ports, and goes
    with the process.
    """
    for number in range(_SHARES):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            claim.bind(f"\0celery-sentinel-tests-ports-{number}")
        except OSError:
            claim.close()
        else:
            _claims.append(claim)
            return number
    return random.randrange(_SHARES)


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
