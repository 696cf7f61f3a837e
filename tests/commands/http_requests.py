"""Reads what passes between a client and an HTTP server: request lines, and refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import relay

_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.[01]\r\n")
_STATUS = re.compile(rb"HTTP/1\.[01] (40[13][^\r]*)\r\n")  # 404: a node that boots


def ears(said: Callable[[list[str]], None], refused: Callable[[str], None]) -> relay.Ears:
    """Return what hears one connection: method and target of each request.

    A client of ours sends a request in one piece, and each answer begins a piece.
    """

    def hear_client(data: bytes) -> None:
        found = _REQUEST.match(data)
        said([part.decode() for part in found.groups()] if found else [repr(data[:80])])

    def hear_server(data: bytes) -> None:
        found = _STATUS.match(data)
        if found:
            refused(found.group(1).decode())

    return hear_client, hear_server
