"""Deliveries of a durable queue: acknowledged once applied, and none of them taken twice."""

from __future__ import annotations

import collections
import struct
from typing import TYPE_CHECKING

from celery_sentinel.brokers.amqp import event_queue, frames as amqp_frames

if TYPE_CHECKING:
    from collections.abc import Collection

    from celery_sentinel.events import decoding
    from celery_sentinel.events.event import Event

ACK_EACH = 500  # messages; one acknowledgement is for all before it
_ACK = struct.Struct(">BHIHHQBB")
_METHOD, _BASIC, _BASIC_ACK, _MULTIPLE, _END = 1, 60, 80, 1, 0xCE
_DELIVER = struct.pack(">HH", *amqp_frames.DELIVER)


class Receipts:
    """What was taken from the durable queue, over all connections to it.

    A broker that lost us delivers again what we had not acknowledged, some of which we had
    applied: the last ``PREFETCH`` bodies are remembered by their hash, and dropped when they
    come marked as delivered before.
    """

    def __init__(self) -> None:
        self.repeats = 0
        self._recent: collections.deque[int] = collections.deque(maxlen=event_queue.PREFETCH)

    def begin(self) -> Collection[int]:
        """Return what a new connection may bring again."""
        return frozenset(self._recent)

    def note(self, body: bytes) -> None:
        """Remember a body that was handed on."""
        self._recent.append(hash(body))


class AcknowledgedFrames(amqp_frames.FrameReader):
    """A frame reader on channel ``channel`` that knows what to acknowledge.

    ``waiting`` is how many messages the queue held when we came, ``cap`` its limit in bytes.
    """

    def __init__(
        self,
        decoder: decoding.Decoder,
        leftover: bytes,
        *,
        receipts: Receipts,
        consumed: event_queue.Consumed,
        cap: int,
    ) -> None:
        super().__init__(decoder, leftover)
        self._receipts = receipts
        self._before = receipts.begin()
        self._channel = consumed.channel
        self._backlog = consumed.waiting
        self._backlog_bytes = self._largest = 0
        self._cap = cap
        self._delivered = self._acknowledged = 0
        self._again = False
        self.overflowed = False

    def acknowledgement(self, *, at_least: int = 1) -> bytes:
        """Return the frame for what was delivered so far; none for less than ``at_least``."""
        if self._delivered - self._acknowledged < at_least:
            return b""
        self._acknowledged = self._delivered
        return _ACK.pack(
            _METHOD,
            self._channel,
            _ACK.size - 8,
            _BASIC,
            _BASIC_ACK,
            self._delivered,
            _MULTIPLE,
            _END,
        )

    def _method(self, payload: bytes) -> None:
        if not payload.startswith(_DELIVER):
            super()._method(payload)
            return
        # consumer tag (short string), delivery tag (8 bytes), redelivered (1 bit)
        self._again = payload[5 + payload[4] + 8] & 1 == 1
        if not self._again:
            self._before = ()  # what comes again comes first

    def _finish(self, body: bytes, out: list[Event]) -> None:
        if self._again and hash(body) in self._before:
            self._size, self._parts = -1, []
            self._receipts.repeats += 1
        else:
            self._receipts.note(body)
            super()._finish(body, out)
        self._took(max(len(body), self._arrived))

    def _took(self, size: int) -> None:
        self._delivered += 1
        if self._backlog:
            self._note_backlog(size)

    def _note_backlog(self, size: int) -> None:
        """Tell at its end whether the backlog had filled the queue.

        A full queue drops its oldest message for each new one, so it stays within one message
        of its limit.
        """
        self._backlog -= 1
        self._backlog_bytes += size
        self._largest = max(self._largest, size)
        if not self._backlog:
            self.overflowed = self._backlog_bytes + self._largest > self._cap
