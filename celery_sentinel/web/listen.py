"""Binds the sockets in the caller's thread, so that a port in use is an error, not a log line."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

# Three turns of the event loop lie between accepting a connection and displacing it: three
# times this and the connections that are kept stay below the usual limit of 1,024 open files.
BACKLOG = 128
# What the kernel keeps beyond that costs no file. Where it keeps too few, a burst of strangers
# makes it forget a scraper's connection, which is tried again only after a second.
QUEUE = 1024

_HIGHEST_PORT = 65535

_ADVICE = {
    errno.EADDRINUSE: (
        "Another process has this port (`ss -ltnp` names it): stop it, or choose another "
        "address with --web.listen-address"
    ),
    errno.EACCES: (
        "Ports below 1024 need the capability CAP_NET_BIND_SERVICE: grant it, or choose a "
        "higher port with --web.listen-address"
    ),
    errno.EADDRNOTAVAIL: (
        "No interface of this machine has this address: give one that `ip address` shows, or "
        "only the port to listen on all, as in --web.listen-address=:9808"
    ),
}
_OTHERWISE = "Choose another address with --web.listen-address, as in 127.0.0.1:9808 or :9808"


def open_all(addresses: Sequence[tuple[str, int]]) -> list[socket.socket]:
    """Listen on every (host, port), all or none; raise ListenError for the first that fails.

    An empty host is every interface, IPv6 and IPv4 in one socket where the system can. A name
    that resolves to several addresses is one socket, IPv4 preferred. Port 0 lets the system
    choose.
    """
    if not addresses:
        raise errors.ListenError(f"cannot listen: no address was given. {_OTHERWISE}.")
    listeners: list[socket.socket] = []
    try:
        for host, port in addresses:
            listeners.append(_open(host, port))
    except BaseException:
        close_all(listeners)
        raise
    return listeners


def close_all(listeners: Sequence[socket.socket]) -> None:
    """Stop listening; closing twice is harmless."""
    for listener in listeners:
        listener.close()


def url_of(listener: socket.socket, host: str, *, secured: bool = False) -> str:
    """Return the URL under which this machine reaches a listener asked for as ``host``."""
    name, port = listener.getsockname()[:2]
    if host in {"", "0.0.0.0"}:  # noqa: S104 - compared with, not bound to
        name = "127.0.0.1"
    elif name == "::":
        name = "::1"
    return f"{'https' if secured else 'http'}://{_authority(name, port)}"


def _open(host: str, port: int) -> socket.socket:
    if not 0 <= port <= _HIGHEST_PORT:  # the resolver would take it modulo 65536
        where = _authority(host, port)
        raise errors.ListenError(
            f"cannot listen on {where}: a port is a number from 0 to {_HIGHEST_PORT}. {_OTHERWISE}."
        )
    try:
        listener = _bind(host, port)
    except (OSError, UnicodeError) as error:
        raise errors.ListenError(_explain(host, port, error)) from error
    # Connections inherit it. asyncio does not set it for sockets made like ours, and without it
    # the body of an answer waits 40 ms for the client to acknowledge the head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _bind(host: str, port: int) -> socket.socket:
    if host:
        family, address = _resolve(host, port)
        return socket.create_server(address, family=family, backlog=BACKLOG)
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG
            )
        except OSError as error:
            # IPv6 that is compiled in but switched off: IPv4 alone is all that there is.
            if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                raise
    return socket.create_server(("", port), backlog=BACKLOG)


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, address  # type: ignore[return-value]  # IPv6 adds flow and scope, bind takes both


def _explain(host: str, port: int, error: Exception) -> str:
    where = _authority(host, port)
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror):
        return f"cannot listen on {where}: the host name cannot be resolved. {_OTHERWISE}."
    reason = os.strerror(error.errno) if error.errno else str(error)
    return f"cannot listen on {where}: {reason}. {_ADVICE.get(error.errno or 0, _OTHERWISE)}."


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
