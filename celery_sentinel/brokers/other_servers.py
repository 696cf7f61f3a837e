"""Finds out what answers at an address where the broker of the URL does not."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Literal, NamedTuple

from celery_sentinel.brokers import failure_reasons

Found = Literal["http", "amqp", "redis", "tls"]

WITHIN = 1.5  # seconds to connect, and for an answer
AGAIN_AFTER = 60.0  # seconds for which an answer is remembered
_MOST_KNOWN = 64  # addresses
_ENOUGH = 64  # bytes of an answer
# To Redis a question whether it is there, to RabbitMQ eight bytes that are not the head of its
# protocol, to an HTTP server a bad request, to a TLS server no handshake. Nobody acts on it.
GREETING = b"PING\r\n\r\n"
_STARTS: tuple[tuple[bytes, Found], ...] = (
    (b"HTTP/", "http"),
    (b"<", "http"),  # a page without a head, as HTTP/0.9 has it
    (b"AMQP", "amqp"),
    (b"+PONG", "redis"),
    (b"-", "redis"),  # a refusal
    (b"\x15\x03", "tls"),  # an alert
)
# What a failure to connect may come of if it is another server that answers.
_UNCERTAIN = frozenset({"tls", "timeout", "unreachable", "other"})
_NO_TLS = frozenset({"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING", "HTTP_REQUEST"})

_known: dict[tuple[str, int], tuple[float, Found | None]] = {}


class Server(NamedTuple):
    """What a URL says is there: ``redis`` or ``amqp``, and whether by TLS."""

    protocol: Literal["redis", "amqp"]
    tls: bool


_PLAIN = {Server("redis", tls=True): "redis://", Server("amqp", tls=True): "amqp://"}
_ENCRYPTED = {Server("redis", tls=False): "rediss://", Server("amqp", tls=False): "amqps://"}
_PORTS = {"redis": "6379", "amqp": "5672"}
_NAMES = {"redis": "Redis", "amqp": "AMQP"}


def instead_of(expected: Server, host: str, port: int, error: BaseException) -> str:
    """Return what answers there and what to do, "" where it is what was expected, or unknown."""
    if failure_reasons.of(error) not in _UNCERTAIN:
        return ""
    now = time.monotonic()
    at, found = _known.get((host, port), (float("-inf"), None))
    if now - at > AGAIN_AFTER:
        found = _look(host, port)
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[host, port] = (now, found)
    return _told(expected, found)


def _told(expected: Server, found: Found | None) -> str:
    if found is None or found == ("tls" if expected.tls else expected.protocol):
        return ""
    if found == "tls":
        return f"what answers there speaks TLS: use {_ENCRYPTED[expected]}"
    if found == expected.protocol:
        return (
            f"{_NAMES[found]} without TLS answers there: use {_PLAIN[expected]}, or the port of TLS"
        )
    if found == "http":
        hint = "; the management API is broker.management_url" * (expected.protocol == "amqp")
        usual = _PORTS[expected.protocol]
        return f"an HTTP server answers there: give the broker's port, such as {usual}{hint}"
    return f"{_NAMES[found]} answers there: use {found}://"


def _look(host: str, port: int) -> Found | None:
    try:
        answer = _answer(host, port)
        found = next((found for start, found in _STARTS if answer.startswith(start)), None)
        if found is None and not answer and _shakes_hands(host, port):
            return "tls"
    except OSError:  # nobody is there, or nobody speaks: the first failure has said so
        return None
    return found


def _answer(host: str, port: int) -> bytes:
    """Return the first bytes of what greets back, b"" for one that hangs up without a word."""
    with socket.create_connection((host, port), WITHIN) as plain:
        plain.sendall(GREETING)
        try:
            return plain.recv(_ENOUGH)
        except ConnectionError:
            return b""


def _shakes_hands(host: str, port: int) -> bool:
    """Return whether a TLS server is there; it is asked for nothing, so nothing is verified."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((host, port), WITHIN) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=host):
                return True
        except ssl.SSLEOFError:
            return False
        except ssl.SSLError as error:
            return error.reason not in _NO_TLS
