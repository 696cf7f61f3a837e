"""Reads what passes between a client and RabbitMQ: methods with their names, and refusals."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from celery_sentinel.brokers import other_servers
from tests.commands import questions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers import relay

_PROTOCOL = b"AMQP"
_PROTOCOL_SIZE = 8
_FRAME = struct.Struct(">BHI")
_METHOD, _HEADER, _BODY, _BEAT = 1, 2, 3, 8
_CLOSES = {(10, 50): "connection.close", (20, 40): "channel.close"}
# Reply codes that are no refusal: all is done; a queue or exchange that is not there, or another's
# own; a server that shuts down.
_OF_THE_MOMENT = frozenset({200, 404, 405, 320})
EMPTY = "(empty)"  # an empty name: the default exchange, say

# By class and method: its name and its arguments in order, as the specification lists them.
# s is a short string, h a whole number of 2 bytes; behind the bar are the flags of the next byte.
_METHODS = {
    (10, 11): ("connection.start-ok", ""),
    (10, 21): ("connection.secure-ok", ""),
    (10, 31): ("connection.tune-ok", ""),
    (10, 40): ("connection.open", "s"),
    (10, 50): ("connection.close", ""),
    (10, 51): ("connection.close-ok", ""),
    (20, 10): ("channel.open", ""),
    (20, 20): ("channel.flow", ""),
    (20, 21): ("channel.flow-ok", ""),
    (20, 40): ("channel.close", ""),
    (20, 41): ("channel.close-ok", ""),
    (40, 10): ("exchange.declare", "hss|passive durable auto-delete internal no-wait"),
    (40, 20): ("exchange.delete", "hs|if-unused no-wait"),
    (40, 30): ("exchange.bind", "hsss"),
    (40, 40): ("exchange.unbind", "hsss"),
    (50, 10): ("queue.declare", "hs|passive durable exclusive auto-delete no-wait"),
    (50, 20): ("queue.bind", "hsss"),
    (50, 30): ("queue.purge", "hs"),
    (50, 40): ("queue.delete", "hs|if-unused if-empty no-wait"),
    (50, 50): ("queue.unbind", "hsss"),
    (60, 10): ("basic.qos", ""),
    (60, 20): ("basic.consume", "hss|no-local no-ack exclusive no-wait"),
    (60, 30): ("basic.cancel", ""),
    (60, 31): ("basic.cancel-ok", ""),
    (60, 40): ("basic.publish", "hss|mandatory immediate"),
    (60, 70): ("basic.get", "hs|no-ack"),
    (60, 80): ("basic.ack", ""),
    (60, 90): ("basic.reject", ""),
    (60, 110): ("basic.recover", ""),
    (60, 120): ("basic.nack", ""),
    (85, 10): ("confirm.select", ""),
    (90, 10): ("tx.select", ""),
}
_UNSHOWN = {"basic.consume": 1}  # how many of the last names tell nothing: consumer tags


def ears(said: Callable[[list[str]], None], refused: Callable[[str], None]) -> relay.Ears:
    """Return what hears one connection.

    What the client says is a method's name, the flags that are set, and names of exchanges,
    queues and routing keys in the order of the specification. ``passive`` makes other flags
    mean nothing, so they are not shown. Of a message that is published the question it asks of
    workers is heard, not its text.
    """
    client, server = _Client(said), _Frames()

    def hear_client(data: bytes) -> None:
        if data == other_servers.GREETING:
            said(["PING"])
            return
        for kind, payload in client.frames.feed(data):
            client.hear(kind, payload)

    def hear_server(data: bytes) -> None:
        for kind, payload in server.feed(data):
            name = _CLOSES.get(struct.unpack_from(">HH", payload)) if kind == _METHOD else None
            if name is not None:
                (code,) = struct.unpack_from(">H", payload, 4)
                text = payload[7 : 7 + payload[6]].decode("utf-8", "replace")
                if code not in _OF_THE_MOMENT:
                    refused(f"{name} {code}: {text}")

    return hear_client, hear_server


class _Client:
    """Puts together what the frames of a client say."""

    def __init__(self, said: Callable[[list[str]], None]) -> None:
        self.frames = _Frames()
        self._said = said
        self._publish: list[str] = []
        self._body = b""
        self._size = 0

    def hear(self, kind: int, payload: bytes) -> None:
        """Take the next frame."""
        if kind == _METHOD:
            words = _words(payload)
            if words[0] == "basic.publish":
                self._publish = words
            else:
                self._said(words)
        elif kind == _HEADER:
            (self._size,) = struct.unpack_from(">Q", payload, 4)
            self._body = b""
            self._finish()
        elif kind == _BODY:
            self._body += payload
            self._finish()
        else:
            self._said(["heartbeat" if kind == _BEAT else f"frame-{kind}"])

    def _finish(self) -> None:
        if len(self._body) >= self._size:
            self._said([*self._publish, questions.in_body(self._body)])


class _Frames:
    """Cuts one side's bytes into frames."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield type and payload of each frame that is whole."""
        self._buffer += data
        if self._buffer.startswith(_PROTOCOL):
            self._buffer = self._buffer[_PROTOCOL_SIZE:]
        while len(self._buffer) > _FRAME.size:
            kind, _, size = _FRAME.unpack_from(self._buffer)
            end = _FRAME.size + size + 1
            if len(self._buffer) < end:
                return
            payload, self._buffer = self._buffer[_FRAME.size : end - 1], self._buffer[end:]
            yield kind, payload


def _words(payload: bytes) -> list[str]:
    number = struct.unpack_from(">HH", payload)
    name, layout = _METHODS.get(number, (f"method-{number[0]}-{number[1]}", ""))
    fields, _, flags = layout.partition("|")
    at, names = 4, []
    for field in fields:
        if field == "h":
            at += 2
        else:
            length = payload[at]
            names.append(payload[at + 1 : at + 1 + length].decode("utf-8", "replace"))
            at += 1 + length
    set_flags = [flag for bit, flag in enumerate(flags.split()) if payload[at] >> bit & 1]
    if "passive" in set_flags:
        set_flags = ["passive"]
    shown = names[: len(names) - _UNSHOWN.get(name, 0)]
    return [name, *set_flags, *(one or EMPTY for one in shown)]
