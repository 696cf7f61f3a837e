"""AMQP 0-9-1 deliveries straight from the byte stream: frame, header, body, event."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from celery_sentinel import errors

if TYPE_CHECKING:
    from celery_sentinel.events import decoding
    from celery_sentinel.events.event import Event

# AMQP 0-9-1, section 4.2: type, channel, size, payload, end octet.
_METHOD, _HEADER, _BODY, _BEAT = 1, 2, 3, 8
_FRAME = struct.Struct(">BHI")
_OVERHEAD = _FRAME.size + 1
_END = 0xCE
_METHOD_ID = struct.Struct(">HH")
_CONTENT = struct.Struct(">HHQH")  # class, weight, body size, property flags
_LONG = struct.Struct(">I")

DELIVER = (60, 60)
CANCEL = (60, 30)
CONNECTION_CLOSE = (10, 50)
CHANNEL_CLOSE = (20, 40)
HAS_CONTENT_TYPE, HAS_CONTENT_ENCODING, HAS_HEADERS = 1 << 15, 1 << 14, 1 << 13

HEARTBEAT = _FRAME.pack(_BEAT, 0, 0) + bytes([_END])
# connection.close, reply code 200, no text, caused by no method
_BYE = struct.pack(">HHHBHH", *CONNECTION_CLOSE, 200, 0, 0, 0)
CLOSE = _FRAME.pack(_METHOD, 0, len(_BYE)) + _BYE + bytes([_END])

MAX_FRAME = 1024 * 1024  # eight times what RabbitMQ and py-amqp agree on


class FrameReader:
    """Cuts a stream of bytes into deliveries and hands their bodies to the decoder.

    ``leftover`` is what another reader of the same socket had read ahead.
    """

    def __init__(self, decoder: decoding.Decoder, leftover: bytes = b"") -> None:
        self._decoder = decoder
        self._buffer = leftover
        self._size = -1  # bytes of the body that is under way; -1 when none is
        self._parts: list[bytes] = []
        self._arrived = 0
        # Of a body that is longer than ``_whole`` only as much as ``_ends`` of either end is kept.
        self._whole, self._ends = 4 * decoder.max_message_bytes, decoder.max_message_bytes // 4
        self._content_type = ""
        self._compression: str | None = None
        self._slow = False  # the message just decoded may have grown

    def feed(self, data: bytes, out: list[Event]) -> bool:
        """Append to ``out`` the events of the deliveries that ``data`` completes.

        Returns True where it stopped after one that the decoder could not take at once: the
        rest waits for the next call, so that the events of one such message at a time are held.

        Raises ``errors.BrokerError`` when the server closes, cancels, or sends no AMQP; what
        came before that is in ``out``.
        """
        try:
            return self._cut(self._buffer + data if self._buffer else data, out)
        except (struct.error, IndexError):
            raise _not_amqp("a frame too short for its content") from None

    def _cut(self, buffer: bytes, out: list[Event]) -> bool:
        at, end = 0, len(buffer)
        self._slow = False
        unpack = _FRAME.unpack_from
        while end - at >= _OVERHEAD and not self._slow:
            kind, _, size = unpack(buffer, at)
            last = at + _OVERHEAD + size
            if size > MAX_FRAME:
                raise _not_amqp(f"a frame of {size} bytes, at most {MAX_FRAME} are allowed")
            if last > end:
                break
            if buffer[last - 1] != _END:
                raise _not_amqp("a frame without its end")
            payload = buffer[at + _FRAME.size : last - 1]
            if kind == _BODY:
                self._body(payload, out)
            elif kind == _HEADER:
                self._header(payload, out)
            elif kind == _METHOD:
                self._method(payload)
            elif kind != _BEAT:
                raise _not_amqp(f"a frame of type {kind}")
            at = last
        self._buffer = buffer[at:]
        return self._slow

    def _method(self, payload: bytes) -> None:
        method = _METHOD_ID.unpack_from(payload)
        if method == DELIVER:
            return
        if method in {CONNECTION_CLOSE, CHANNEL_CLOSE}:
            text = payload[7 : 7 + payload[6]].decode("utf-8", "replace")  # a reply code before it
            raise errors.BrokerError(f"closed by the server: {text}")
        if method == CANCEL:
            raise errors.BrokerError("the server cancelled our consumer: our queue was deleted")

    def _header(self, payload: bytes, out: list[Event]) -> None:
        if self._size >= 0:
            raise _not_amqp("a message that breaks off")
        _, _, self._size, flags = _CONTENT.unpack_from(payload)
        self._parts, self._arrived = [], 0
        at = _CONTENT.size
        self._content_type, self._compression = "", None
        if flags & HAS_CONTENT_TYPE:
            stop = at + 1 + payload[at]
            self._content_type = payload[at + 1 : stop].decode("utf-8", "replace")
            at = stop
        if flags & HAS_HEADERS and (found := payload.find(b"\x0bcompressionS", at)) >= 0:
            # A table entry: short name, type S, length, text. Only the slow path asks for it.
            (length,) = _LONG.unpack_from(payload, found + 13)
            self._compression = payload[found + 17 : found + 17 + length].decode("utf-8", "replace")
        if self._size == 0:
            self._finish(b"", out)

    def _body(self, part: bytes, out: list[Event]) -> None:
        size = self._size
        if len(part) == size:
            self._finish(part, out)
            return
        if size < 0:
            if part:
                raise _not_amqp("a body without a header")
            return
        self._arrived += len(part)
        if self._arrived > size:
            raise _not_amqp("more of a body than its header announced")
        at_an_end = self._arrived - len(part) < self._ends or self._arrived > size - self._ends
        if size <= self._whole or at_an_end:
            self._parts.append(part)
        if self._arrived == size:
            if size > self._whole:  # what was between its ends is lost
                self._decoder.rejected["oversized"] += 1
            self._finish(b"".join(self._parts), out)

    def _finish(self, body: bytes, out: list[Event]) -> None:
        self._size, self._parts = -1, []
        self._slow = self._decoder.body(
            body, out, content_type=self._content_type, compression=self._compression
        )


def _not_amqp(found: str) -> errors.BrokerError:
    return errors.BrokerError(f"not the AMQP protocol: {found}")
