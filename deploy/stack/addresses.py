"""Ports on loopback for the servers of the stack: the well-known ones while they are free."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
_EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_ATTEMPTS = 200


def choose(*well_known: int, anywhere: bool) -> list[str]:
    """Return a ``host:port`` for each well-known port: that, if it is free, and else another.

    With ``anywhere`` always another. Raises OSError when none is found.
    """
    # All are held until the last is chosen, so that none is chosen twice.
    with contextlib.ExitStack() as held:
        return [f"{HOST}:{_hold(port, held, anywhere=anywhere)}" for port in well_known]


def _hold(well_known: int, held: contextlib.ExitStack, *, anywhere: bool) -> int:
    first = () if anywhere else (well_known,)
    for port in itertools.chain(first, _others()):
        probe = socket.socket()
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.enter_context(probe)
        with contextlib.suppress(OSError):
            probe.bind((HOST, port))
            probe.listen()
            return port
    raise OSError(f"no free port in {_ATTEMPTS} attempts from {_LOWEST}")


def _others() -> Iterator[int]:
    """Yield ports below the range of outgoing connections, so that none takes them meanwhile."""
    highest = int(_EPHEMERAL_RANGE.read_text(encoding="ascii").split()[0])
    dice = random.SystemRandom()
    for _ in range(_ATTEMPTS):
        yield dice.randrange(_LOWEST, max(highest, _LOWEST + 1000))
