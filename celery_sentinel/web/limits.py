"""How long and how much the server bears from its clients, so that none can starve another."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Every bound of the server; durations in seconds, sizes in bytes.

    ``idle_seconds`` is longer than the usual scrape interval of 15 s: if both were equal,
    the server would close connections at the moment at which Prometheus reuses them.
    """

    request_seconds: float = 10.0
    """To deliver one whole request, counted from its start or from the connection's."""
    handshake_seconds: float = 5.0
    """For the TLS handshake, from the connection's start; it takes two round trips."""
    idle_seconds: float = 20.0
    """Between a response and the next request on the same connection."""
    answer_seconds: float = 30.0
    """For the daemon to render or to tell its state; it takes milliseconds unless it hangs."""
    response_seconds: float = 30.0
    """To read one whole response, counted from the moment the peer stops keeping up."""
    drain_seconds: int = 2
    """For requests under way when the server is closed."""
    connections: int = 256
    """Open at the same time."""
    readers: int = 16
    """Scrapes whose response is being sent at the same time."""
    body_room: int = 128 * 1024 * 1024
    """Of expositions that are being sent, in bytes; two may be there however long they are."""
    header_bytes: int = 16 * 1024
    """Request line and headers together."""
    logins: int = 32
    """Passwords that wait to be compared or are; one is compared at a time."""
    logins_per_client: int = 2
    """Of them from one address, so that a flood from there leaves places to others."""
    body_bytes: int = 4 * 1024
    """Body of a request; no route needs one."""
