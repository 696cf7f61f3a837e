"""Bytes from the broker become typed events here, and no byte of them is trusted."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from celery_sentinel.events import broken_json, lenient_decoding, time_budget
from celery_sentinel.events.broken_json import MAX_BATCH, Refused
from celery_sentinel.events.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
# Bytes a compressed body may unpack to. A read holds many such messages, and zlib makes a
# thousand of one; Celery's batches are smaller, and never compressed by Celery itself.
MAX_UNPACKED = 1024 * 1024
# Seconds that it takes to apply an event which costs most. Whoever sends one as it is pays as well;
# 10,000 that zlib makes out of 3 KB are half a second of the receiver's for nothing.
APPLYING = 45e-6
JSON = "application/json"
MSGPACK = "application/x-msgpack"
ZLIB = "application/x-gzip"  # kombu's name for a zlib stream
MOST_TYPES = 10  # content types that are told by name
_LONGEST_TYPE = 60
_READ = (JSON, MSGPACK)
_LOOSE_ENVELOPE = 512 * 1024  # bytes of an envelope that only the standard library can read

Reason = Literal["malformed", "oversized", "content_type", "unknown_type", "empty", "too_costly"]
REASONS: tuple[Reason, ...] = get_args(Reason)
Fallback = Literal["not_strict_json", "loose_types", "damaged_batch", "compressed", "oversized"]
FALLBACKS: tuple[Fallback, ...] = get_args(Fallback)


class _Envelope(msgspec.Struct, gc=False):
    """kombu's Redis envelope as stock Celery writes it; msgspec undoes the base64."""

    body: bytes
    content_type: Literal["application/json"] = msgspec.field(name="content-type")


class _MsgpackEnvelope(msgspec.Struct, gc=False):
    """The same of an application whose event_serializer is msgpack."""

    body: bytes
    content_type: Literal["application/x-msgpack"] = msgspec.field(name="content-type")


class _Headers(msgspec.Struct):
    compression: Any = None


class _Properties(msgspec.Struct):
    body_encoding: Any = None


class _AnyEnvelope(msgspec.Struct):
    """The same in any of its forms; what else is in it is passed over, not built."""

    body: Any
    content_type: Any = msgspec.field(name="content-type")
    headers: _Headers | None = None
    properties: _Properties | None = None


_Found = Event | list[Event]
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_msgpack_envelope = msgspec.json.Decoder(_MsgpackEnvelope).decode
_decode_any_envelope = msgspec.json.Decoder(_AnyEnvelope).decode
_decode_body = msgspec.json.Decoder(_Found).decode
_decode_msgpack = msgspec.msgpack.Decoder(_Found).decode


class Decoder:
    """Decodes messages and counts what it had to refuse or could only save the slow way.

    Not thread-safe: one decoder belongs to one receiver. ``rejected`` counts events, or whole
    messages where no event could be made out, by reason; ``salvaged`` counts messages that
    strict decoding refused and that yielded events all the same. ``refused_types`` counts the
    messages of a content type that is not read, by its name.

    ``envelope`` and ``body`` return True where the message was not decoded at once. It may have
    grown by unpacking, so the caller is to hand on what it has before it decodes another.
    """

    def __init__(
        self,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        budget: time_budget.CpuBudget | None = None,
    ) -> None:
        self.max_message_bytes = max_message_bytes
        self.rejected: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.salvaged: Counter[str] = Counter(dict.fromkeys(FALLBACKS, 0))
        self.refused_types: Counter[str] = Counter()
        self._budget = budget or time_budget.CpuBudget()

    def envelope(self, data: bytes, out: list[Event]) -> bool:
        """Append to ``out`` the events of one Redis message (kombu's JSON envelope)."""
        if len(data) > self.max_message_bytes:
            return self._slowly(self._save_envelope, data, out)
        try:
            found = _decode_body(_decode_envelope(data).body)
        except broken_json.REFUSALS:
            return not _take_msgpack_envelope(data, out) and self._slowly(
                self._save_envelope, data, out
            )
        if found.__class__ is not list:
            out.append(found)
            return False
        if not 0 < len(found) <= MAX_BATCH:
            return self._refuse(found)
        out += found
        return False

    def body(
        self,
        data: bytes,
        out: list[Event],
        *,
        content_type: str = JSON,
        compression: str | None = None,
    ) -> bool:
        """Append to ``out`` the events of one message body (AMQP, or any kombu transport)."""
        if content_type != JSON or len(data) > self.max_message_bytes:
            sound = content_type == MSGPACK and len(data) <= self.max_message_bytes
            if sound and _take_msgpack(data, out):
                return False
            return self._slowly(self._save, data, out, content_type, compression)
        try:
            found = _decode_body(data)
        except broken_json.REFUSALS:
            return self._slowly(self._save, data, out, content_type, compression)
        if found.__class__ is not list:
            out.append(found)
            return False
        if not 0 < len(found) <= MAX_BATCH:
            return self._refuse(found)
        out += found
        return False

    def _refuse(self, found: Any) -> bool:
        self.rejected["oversized" if found else "empty"] += 1
        return True

    def _slowly(self, save: Callable[..., None], *arguments: Any) -> bool:
        """Save what can be saved, as long as that has not taken too much of our time."""
        if not self._budget.begin():
            self.rejected["too_costly"] += 1
            return True
        try:
            save(*arguments)
        except Refused as refused:
            self.rejected[refused.args[0]] += 1
        finally:
            self._budget.end()
        return True

    def _save_envelope(self, data: bytes, out: list[Event]) -> None:
        self._save(*_open_envelope(data, out), size=len(data))

    def _save(
        self,
        body: bytes,
        out: list[Event],
        content_type: object,
        compression: str | None,
        size: int = 0,
    ) -> None:
        """Save what can be saved of a body that is not stock Celery's, is broken, or is large."""
        if content_type not in _READ:
            self._note_type(content_type)
            raise Refused("content_type")
        if compression:
            body = _decompress(body, compression, min(self.max_message_bytes, MAX_UNPACKED))
        large = max(size, len(body)) > self.max_message_bytes
        found, fallback = _events_of(body, msgpack=content_type == MSGPACK, large=large)
        saved = [event for event in found if event is not None]
        self.rejected["malformed"] += len(found) - len(saved)
        if not found:
            self.rejected["empty"] += 1
        if saved:
            if compression:
                self._budget.charge(len(saved) * APPLYING)
                fallback = "compressed"
            if fallback is not None:
                self.salvaged[fallback] += 1
            out.extend(saved)

    def _note_type(self, content_type: object) -> None:
        name = content_type if isinstance(content_type, str) else type(content_type).__name__
        name = name[:_LONGEST_TYPE] or "none"
        if name in self.refused_types or len(self.refused_types) < MOST_TYPES:
            self.refused_types[name] += 1


def _take_msgpack_envelope(data: bytes, out: list[Event]) -> bool:
    """Take the events of a Redis message whose body is sound msgpack; return whether it was."""
    try:
        body = _decode_msgpack_envelope(data).body
    except broken_json.REFUSALS:
        return False
    return _take_msgpack(body, out)


def _take_msgpack(body: bytes, out: list[Event]) -> bool:
    """Take the events of a body that is sound msgpack; return whether it was."""
    try:
        found = _decode_msgpack(body)
    except broken_json.REFUSALS:
        return False
    several = found if isinstance(found, list) else [found]
    if not 0 < len(several) <= MAX_BATCH:
        return False
    out.extend(several)
    return True


def _events_of(
    body: bytes, *, msgpack: bool, large: bool
) -> tuple[list[Event | None], Fallback | None]:
    """Return the events of a body, None for those that are none, and how they were saved.

    A large one is read too, since what makes it large is mostly the text of an exception: a
    failure counts whatever it says.
    """
    fallback: Fallback | None = "oversized" if large else None
    try:
        found = _decode_msgpack(body) if msgpack else _decode_body(body)
    except broken_json.REFUSALS:
        pass
    else:
        return broken_json.listed(found), fallback
    if not msgpack:
        raw, kind = broken_json.elements(body)
        return [lenient_decoding.typed(one) for one in raw], fallback or kind
    if large or len(body) > broken_json.LARGEST:
        raise Refused("too_costly")
    try:
        raw = broken_json.listed(msgspec.msgpack.decode(body))
    except broken_json.REFUSALS:
        raise Refused("malformed") from None
    return [lenient_decoding.typed(one) for one in raw], "loose_types"


def _open_envelope(data: bytes, out: list[Event]) -> tuple[bytes, list[Event], object, str | None]:
    """Return body, ``out``, content type and compression of an envelope of any form."""
    body, content_type, encoding, compression = _parts_of(data)
    if not isinstance(body, str) or not isinstance(compression, str | None):
        raise Refused("content_type" if content_type not in _READ else "malformed")
    if encoding != "base64":
        return body.encode("utf-8", "surrogatepass"), out, content_type, compression
    try:
        return base64.b64decode(body, validate=True), out, content_type, compression
    except (binascii.Error, ValueError):
        raise Refused("malformed") from None


def _parts_of(data: bytes) -> tuple[Any, Any, Any, Any]:
    """Return body, content type, encoding of the body and compression, of any types."""
    try:
        found = _decode_any_envelope(data)
    except broken_json.REFUSALS:
        pass
    else:
        headers, properties = found.headers or _Headers(), found.properties or _Properties()
        return found.body, found.content_type, properties.body_encoding, headers.compression
    if len(data) > _LOOSE_ENVELOPE:
        raise Refused("too_costly")
    try:
        envelope = json.loads(data)
        encoding = (envelope.get("properties") or {}).get("body_encoding")
        compression = (envelope.get("headers") or {}).get("compression")
        return envelope["body"], envelope["content-type"], encoding, compression
    except (*broken_json.REFUSALS, LookupError, TypeError, AttributeError):
        raise Refused("malformed") from None


def _decompress(body: bytes, compression: str, limit: int) -> bytes:
    if compression != ZLIB:
        raise Refused("content_type")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # zlib or gzip header
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise Refused("malformed") from None
    if len(plain) > limit:
        raise Refused("oversized")
    return plain
