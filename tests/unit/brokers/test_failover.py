"""The first address that answers is taken; of the others each says why it did not."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from celery_sentinel import errors
from celery_sentinel.brokers import failover, failure_reasons, other_servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REDIS = other_servers.Server("redis", tls=False)
AMQP = other_servers.Server("amqp", tls=False)


def place(address: str) -> failover.Place:
    """Return where nobody is looked for."""
    return failover.Place(address)


def reach(*addresses: str, dead: dict[str, Exception]) -> str:
    """Connect to the first address that is not dead."""

    def attempt(address: str) -> str:
        if address in dead:
            raise dead[address]
        return address

    return failover.first_reachable(
        addresses, attempt, place=place, expected=REDIS, failures=(OSError,)
    )


def test_the_first_that_answers_is_taken() -> None:
    """Those behind it are not asked."""
    assert reach("a", "b", "c", dead={"a": OSError("no"), "c": OSError("no")}) == "b"


def test_every_failure_is_told() -> None:
    """With its address; with one address its error is the cause, whose class says more."""
    with pytest.raises(errors.BrokerError, match=r"^a: no; b: never$") as raised:
        reach("a", "b", dead={"a": OSError("no"), "b": OSError("never")})
    assert raised.value.__cause__ is None
    dead = OSError("no")
    with pytest.raises(errors.BrokerError, match=r"^a: no$") as raised:
        reach("a", dead={"a": dead})
    assert raised.value.__cause__ is dead


def test_what_is_no_failure_to_connect_is_raised() -> None:
    """A defect is not taken for a broker that is away."""
    with pytest.raises(KeyError):
        reach("a", "b", dead={"a": KeyError("defect")})
    with pytest.raises(errors.BrokerError, match="no address to connect to"):
        reach(dead={})


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], int]]:
    """Listen on a port, and answer whatever comes with these bytes; None at all is a hang-up."""
    listeners: list[socket.socket] = []

    def listen(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                with one:
                    one.recv(100)
                    one.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        port: int = listener.getsockname()[1]
        return port

    yield listen
    for one in listeners:
        one.shutdown(socket.SHUT_RDWR)
        one.close()


@pytest.mark.parametrize(
    ("answer", "expected", "told"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", REDIS, "an HTTP server answers there: give the broker's"),
        (b"<html>", AMQP, "an HTTP server answers there: give the broker's port, such as 5672; "),
        (b"AMQP\x00\x00\x09\x01", REDIS, "AMQP answers there: use amqp://"),
        (b"+PONG\r\n", AMQP, "Redis answers there: use redis://"),
        (b"-NOAUTH Authentication required.\r\n", AMQP, "Redis answers there: use redis://"),
        (b"\x15\x03\x01\x00\x02\x02\x46", AMQP, "what answers there speaks TLS: use amqps://"),
        (b"+PONG\r\n", REDIS, ""),
        (b"AMQP\x00\x00\x09\x01", AMQP, ""),
        (b"220 mail ESMTP\r\n", AMQP, ""),
        (b"", AMQP, ""),
        (b"\xff" * 100_000, REDIS, ""),
    ],
)
def test_what_answers(
    answering: Callable[[bytes], int], answer: bytes, expected: other_servers.Server, told: str
) -> None:
    """What is known is named; of what is as the URL says, or unknown, nothing is said."""
    found = other_servers.instead_of(expected, "127.0.0.1", answering(answer), TimeoutError("late"))
    assert found.startswith(told)
    assert bool(found) == bool(told)


@pytest.mark.parametrize(
    "text", ["WRONGPASS invalid", "LOADING", "NOPERM", "max number of clients reached"]
)
def test_a_broker_that_refuses_is_not_looked_at(
    answering: Callable[[bytes], int], text: str
) -> None:
    """It has said what it is."""
    port = answering(b"HTTP/1.1 400\r\n")
    assert other_servers.instead_of(REDIS, "127.0.0.1", port, OSError(text)) == ""


def test_who_says_nothing_is_waited_for_once_a_minute() -> None:
    """A broker that is frozen, say: the first failure has said so, and it is not asked again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        begun = time.monotonic()
        for _ in range(50):
            assert other_servers.instead_of(REDIS, "127.0.0.1", port, TimeoutError("late")) == ""
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()
        assert time.monotonic() - begun < 50 * other_servers.WITHIN


@pytest.mark.parametrize(
    ("remark", "reason"),
    [
        ("an HTTP server answers there: give the broker's port, such as 6379", "wrong_protocol"),
        ("Redis answers there: use redis://", "wrong_protocol"),
        ("Redis without TLS answers there: use redis://, or the port of TLS", "tls"),
        ("what answers there speaks TLS: use amqps://", "tls"),
    ],
)
def test_the_reason_is_that_of_the_remark(remark: str, reason: str) -> None:
    """Whatever the failure looked like."""
    error = errors.BrokerError(f"h:1: Connection reset by peer ({remark})")
    error.__cause__ = ConnectionResetError("Connection reset by peer")
    assert failure_reasons.of(error) == failure_reasons.of_text(str(error)) == reason
