"""The bytes of an AMQP server, written by py-amqp rather than by what is tested."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

from amqp import basic_message, method_framing, serialization

SMALL_FRAME = 4096


def deliver(body: bytes, *, frame_max: int = 131_072, channel: int = 3, **properties: Any) -> bytes:
    """Return one basic.deliver with its header and body, in frames of at most ``frame_max``."""
    given = {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "application_headers": {"hostname": "w1@host"},
        "delivery_mode": 1,
        "priority": 0,
    } | properties
    message = basic_message.Message(
        body, **{name: value for name, value in given.items() if value is not None}
    )
    arguments = serialization.dumps("sLbss", ["consumer", 1, False, "celeryev", "task.multi"])
    return _frames(frame_max, 1, channel, (60, 60), arguments, message)


def method(
    channel: int, sig: tuple[int, int], types: str = "", values: tuple[Any, ...] = ()
) -> bytes:
    """Return the frame of a method; ``types`` are py-amqp's letters for ``values``."""
    return _frames(131_072, 1, channel, sig, serialization.dumps(types, list(values)), None)


def heartbeat() -> bytes:
    """Return a heartbeat."""
    return frame(8, b"")


def frame(kind: int, payload: bytes, *, channel: int = 0, end: int = 0xCE) -> bytes:
    """Return a frame of any kind with any content, well-formed or not."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + bytes([end])


def _frames(frame_max: int, *arguments: Any) -> bytes:
    written: list[bytes] = []
    write = method_framing.frame_writer(
        SimpleNamespace(frame_max=frame_max, bytes_sent=0),
        # The writer lends its one buffer, so it is copied.
        SimpleNamespace(write=lambda data: written.append(bytes(data))),
    )
    write(*arguments)
    return b"".join(written)
