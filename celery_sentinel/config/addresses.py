"""Listen addresses, in the notation that Prometheus exporters share."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

ALLOWED = (
    "[HOST]:PORT such as :9808, 127.0.0.1:9808 or [::1]:9808, PORT from 0 (any free one) to 65535"
)
_HIGHEST_PORT = 65535
_WRITTEN = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%[\w.-]+)?)\]|(?P<name>[\w.-]*)):(?P<port>[0-9]{1,5})",
    re.ASCII,
)


class Address(NamedTuple):
    """Where to listen; an empty ``host`` is every interface, port 0 any free port."""

    host: str
    port: int


def parse(text: str) -> Address:
    """Return the address that ``text`` names; raise ValueError when it names none."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ValueError(ALLOWED)
    port = int(written["port"])
    if port > _HIGHEST_PORT:
        raise ValueError(ALLOWED)
    if written["six"] is not None:
        return Address(str(ipaddress.IPv6Address(written["six"])), port)
    host = written["name"]
    if re.fullmatch(r"[0-9.]+", host):
        return Address(str(ipaddress.IPv4Address(host)), port)
    return Address(host, port)
