"""The stack takes the usual ports where they are free, and never anybody's."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from tests.servers import ports

STACK = Path(__file__).parents[2] / "deploy" / "stack"


def chosen(*wanted: int, anywhere: bool = False) -> list[str]:
    """Return what the stack's module chooses; it is on the path of the stack alone."""
    code = f"import addresses; print(*addresses.choose(*{wanted!r}, anywhere={anywhere}))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=STACK, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_free_port_is_taken() -> None:
    """The usual one, unless any will do."""
    port = ports.free_port()
    assert chosen(port) == [f"127.0.0.1:{port}"]
    assert chosen(port, anywhere=True) != [f"127.0.0.1:{port}"]


def test_a_port_in_use_is_left_to_its_owner() -> None:
    """Another is taken, which is free."""
    with socket.create_server(("127.0.0.1", 0)) as owner:
        port = owner.getsockname()[1]
        [address] = chosen(port)
    host, _, other = address.partition(":")
    assert int(other) != port
    socket.create_server((host, int(other))).close()


def test_none_is_taken_twice() -> None:
    """Who asks for the same twice gets two."""
    port = ports.free_port()
    first, second = chosen(port, port)
    assert first == f"127.0.0.1:{port}"
    assert second != first
