"""The end of a socket: emptied at once, bounded, and honest about since when it lags."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers import socket_reader
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024


@pytest.fixture
def ends() -> Iterator[tuple[socket_reader.SocketReader, socket.socket]]:
    """Return an inlet and the other end of its TCP connection."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
    ):
        theirs, _ = listener.accept()
        with theirs:
            yield socket_reader.SocketReader(ours), theirs


def test_what_came_before_the_end_is_read_first(
    ends: tuple[socket_reader.SocketReader, socket.socket],
) -> None:
    """The bytes come in order, then a quiet moment is None, and the end is an error of its own."""
    line, other = ends
    other.sendall(b"one")
    assert line.read() == b"one"
    begun = time.monotonic()
    assert line.read() is None
    other.sendall(b"two")
    other.close()
    assert line.read() == b"two"
    with pytest.raises(errors.BrokerError, match="closed by the server") as ended:
        line.read()
    assert ended.value.reason == "error"
    assert begun <= ended.value.since <= time.monotonic()


def test_a_full_read_empties_the_socket(
    ends: tuple[socket_reader.SocketReader, socket.socket],
) -> None:
    """Reading one portion lets the sender get rid of all it has, though nobody decodes it yet."""
    line, other = ends
    other.setblocking(False)
    sent = got = 0
    while sent < 32 * MIB:
        try:
            sent += other.send(b"x" * MIB)
        except BlockingIOError:
            got += len(line.read() or b"")
    assert got < sent / 2
    other.close()
    while got < sent:
        got += len(line.read() or b"")
    with pytest.raises(errors.BrokerError) as ended:
        line.read()
    assert ended.value.reason == "slow_consumer"


def test_no_more_is_held_than_allowed(
    ends: tuple[socket_reader.SocketReader, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the limit the rest stays with the sender."""
    monkeypatch.setattr(socket_reader, "MOST_HELD", 4 * MIB)
    line, other = ends
    other.setblocking(False)
    sent = got = 0

    def stuck() -> bool:
        nonlocal sent
        try:
            sent += other.send(b"x" * MIB)
        except BlockingIOError:
            return True
        return False

    deadline.wait_until(stuck, 60, "the sender's buffer is full")
    for _ in range(4):
        got += len(line.read() or b"")
        deadline.wait_until(stuck, 60, "the sender's buffer is full again")
    assert sum(map(len, line._held)) <= 4 * MIB + 256 * 1024  # noqa: SLF001 - the bound itself
    assert sent > got


def test_the_break_of_one_who_slept_is_as_long_as_the_sleep(
    ends: tuple[socket_reader.SocketReader, socket.socket],
) -> None:
    """Bytes that lay there say nothing about the time since the socket was last found empty."""
    line, other = ends
    begun = time.monotonic()
    assert line.read() is None
    awake = time.monotonic()
    other.sendall(b"x" * 1000)
    other.close()
    deadline.wait_until(lambda: time.monotonic() - awake > 1.5, 60, "some time has passed")
    assert line.read() == b"x" * 1000
    with pytest.raises(errors.BrokerError) as ended:
        line.read()
    assert begun <= ended.value.since <= awake


def test_the_kernel_watches_the_peer(
    ends: tuple[socket_reader.SocketReader, socket.socket],
) -> None:
    """Keepalive and user time-out are set on what connects us."""
    line, _ = ends
    plug = line._sock  # noqa: SLF001 - its options are the subject
    assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
    assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10


def test_a_peer_that_takes_nothing_is_gone(
    ends: tuple[socket_reader.SocketReader, socket.socket],
) -> None:
    """A PING that does not even fit into the buffers is no reason to wait."""
    line, _ = ends
    with pytest.raises(errors.BrokerError, match="takes nothing") as refused:
        line.send(b"x" * 64 * MIB)
    assert refused.value.reason == "watchdog"
    assert refused.value.since == line.heard_at


def test_a_steady_trickle_is_read_in_portions(
    ends: tuple[socket_reader.SocketReader, socket.socket],
) -> None:
    """What comes within one pause of gathering is one read, and the first byte is read at once."""
    line, other = ends
    other.sendall(b"first")
    assert line.read() == b"first"
    with ThreadPoolExecutor(1) as sending:
        begun = time.monotonic()
        done = sending.submit(_trickle, other, until=begun + 10 * socket_reader.GATHER)
        reads = 0
        while not done.done():
            line.read()
            reads += 1
        took = time.monotonic() - begun
    # A pause in each; and whoever is late for the next finds something there, without a pause.
    assert 0 < reads < 3 * took / socket_reader.GATHER + 5


def _trickle(end: socket.socket, *, until: float) -> None:
    """Send a byte each millisecond or so."""
    while time.monotonic() < until:
        end.sendall(b".")
        time.sleep(0.001)
