"""Publications as bytes: what kombu would have put on the wire, encoded once and ahead."""

from __future__ import annotations

import base64
import itertools
import json
import struct
from typing import TYPE_CHECKING

from amqp import basic_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from benchmarks import traffic

EXCHANGE = "celeryev"
# AMQP 0-9-1, section 4.2: type, channel, size, payload, end octet.
_METHOD, _HEADER, _BODY = 1, 2, 3
_FRAME = struct.Struct(">BHI")
_END = b"\xce"
_PUBLISH = struct.pack(">HHH", 60, 40, 0)  # class, method, a field that is reserved
_BASIC = 60

_tags = itertools.count(1)


def envelope(publication: traffic.Publication) -> bytes:
    """Return kombu's Redis message."""
    body = base64.b64encode(json.dumps(publication.body).encode()).decode()
    number = f"{next(_tags):032x}"
    tag = f"{number[:8]}-{number[8:12]}-{number[12:16]}-{number[16:20]}-{number[20:]}"
    message = {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"hostname": publication.hostname},
        "properties": {
            "delivery_mode": 1,
            "delivery_info": {"exchange": EXCHANGE, "routing_key": publication.routing_key},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": tag,
        },
    }
    return json.dumps(message).encode()


def redis_command(publication: traffic.Publication) -> bytes:
    """Return the PUBLISH command of the Redis protocol, for database 0."""
    channel = f"/0.{EXCHANGE}/{publication.routing_key}".encode()
    data = envelope(publication)
    return b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
        len(channel),
        channel,
        len(data),
        data,
    )


def amqp_frames(publication: traffic.Publication, *, channel: int = 1) -> bytes:
    """Return the three frames of a basic.publish."""
    exchange, key = EXCHANGE.encode(), publication.routing_key.encode()
    method = b"%b%c%b%c%b\0" % (_PUBLISH, len(exchange), exchange, len(key), key)
    body = json.dumps(publication.body).encode()
    message = basic_message.Message(
        body,
        priority=0,
        content_type="application/json",
        content_encoding="utf-8",
        application_headers={"hostname": publication.hostname},
        delivery_mode=1,
    )
    header = struct.pack(">HHQ", _BASIC, 0, len(body)) + message._serialize_properties()  # noqa: SLF001 -- there is no public way to it
    parts = ((_METHOD, method), (_HEADER, header), (_BODY, body))
    return b"".join(
        _FRAME.pack(kind, channel, len(payload)) + payload + _END for kind, payload in parts
    )


def encoded(publications: Iterable[traffic.Publication], *, amqp: bool) -> Iterator[bytes]:
    """Yield each message as the bytes that publish it."""
    return map(amqp_frames if amqp else redis_command, publications)
