"""Ports that are free stay free for whoever was given them, whatever other runs do."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.servers import ports

_ROOT = Path(__file__).parents[2]
_ASK = "from tests.servers import ports; print(*[ports.free_port() for _ in range(2000)])"


def test_no_port_is_given_twice_in_a_row() -> None:
    """A server that is down for a moment finds its port free, though others are started."""
    given = [ports.free_port() for _ in range(100)]
    assert len(set(given)) == 100


def test_another_process_is_given_others() -> None:
    """However many it asks for, none is of those that this process may give."""
    ours = {ports.free_port() for _ in range(2000)}
    told = subprocess.run(
        [sys.executable, "-c", _ASK],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert ours.isdisjoint(map(int, told.stdout.split()))


def test_a_port_in_use_is_passed_over() -> None:
    """Strangers use ports as well."""
    taken = ports.free_port()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", taken))
        assert taken not in {ports.free_port() for _ in range(2000)}
