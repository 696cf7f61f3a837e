"""Bytes from the broker become typed events here, and no byte of them is trusted."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args

import msgspec

from celery_sentinel import events, salvage

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_MESSAGE_BYTES = 4 * 1024 * 1024
MAX_BATCH = 10_000  # elements; Celery's batches have 24
# Bytes a compressed body may unpack to. A read holds many such messages, and zlib makes a
# thousand of one; Celery's batches are smaller, and never compressed by Celery itself.
MAX_UNPACKED = 1024 * 1024
JSON = "application/json"
ZLIB = "application/x-gzip"  # kombu's name for a zlib stream

Reason = Literal["malformed", "oversized", "content_type", "unknown_type", "empty"]
REASONS: tuple[Reason, ...] = get_args(Reason)
Fallback = Literal["not_strict_json", "loose_types", "damaged_batch", "compressed"]
FALLBACKS: tuple[Fallback, ...] = get_args(Fallback)

# Everything msgspec and the standard library raise on input they do not like.
_REFUSALS = (msgspec.DecodeError, ValueError, RecursionError, MemoryError)


class _Envelope(msgspec.Struct, gc=False):
    """kombu's Redis envelope as stock Celery writes it; msgspec undoes the base64."""

    body: bytes
    content_type: Literal["application/json"] = msgspec.field(name="content-type")


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_body = msgspec.json.Decoder(events.Event | list[events.Event]).decode


class _Refused(Exception):  # noqa: N818 -- a signal inside this module, never seen outside
    """A message that cannot be used; its argument is the reason it is counted under."""


class Decoder:
    """Decodes messages and counts what it had to refuse or could only save the slow way.

    Not thread-safe: one decoder belongs to one receiver. ``rejected`` counts events, or whole
    messages where no event could be made out, by reason; ``salvaged`` counts messages that
    strict decoding refused and that yielded events all the same.

    ``envelope`` and ``body`` return True where the message was not decoded at once. It may have
    grown by unpacking, so the caller is to hand on what it has before it decodes another.
    """

    def __init__(self, *, max_message_bytes: int = MAX_MESSAGE_BYTES) -> None:
        self.max_message_bytes = max_message_bytes
        self.rejected: Counter[str] = Counter(dict.fromkeys(REASONS, 0))
        self.salvaged: Counter[str] = Counter(dict.fromkeys(FALLBACKS, 0))

    def envelope(self, data: bytes, out: list[events.Event]) -> bool:
        """Append to ``out`` the events of one Redis message (kombu's JSON envelope)."""
        if len(data) > self.max_message_bytes:
            self.rejected["oversized"] += 1
            return False
        try:
            found = _decode_body(_decode_envelope(data).body)
        except _REFUSALS:
            self._salvage_envelope(data, out)
            return True
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
        out: list[events.Event],
        *,
        content_type: str = JSON,
        compression: str | None = None,
    ) -> bool:
        """Append to ``out`` the events of one message body (AMQP, or any kombu transport)."""
        if content_type != JSON:
            self.rejected["content_type"] += 1
            return False
        if len(data) > self.max_message_bytes:
            self.rejected["oversized"] += 1
            return False
        try:
            found = _decode_body(data)
        except _REFUSALS:
            self._salvage(data, compression, out)
            return True
        if found.__class__ is not list:
            out.append(found)
            return False
        if not 0 < len(found) <= MAX_BATCH:
            return self._refuse(found)
        out += found
        return False

    def _refuse(self, found: list[events.Event]) -> bool:
        self.rejected["oversized" if found else "empty"] += 1
        return True

    def _salvage_envelope(self, data: bytes, out: list[events.Event]) -> None:
        try:
            body, compression = _open_envelope(data)
        except _Refused as refused:
            self.rejected[refused.args[0]] += 1
            return
        self._salvage(body, compression, out)

    def _salvage(self, body: bytes, compression: str | None, out: list[events.Event]) -> None:
        """Save what can be saved of a body that strict decoding refused."""
        try:
            if compression:
                limit = min(self.max_message_bytes, MAX_UNPACKED)
                body = _decompress(body, compression, limit)
            found, fallback = _decode_loosely(body)
        except _Refused as refused:
            self.rejected[refused.args[0]] += 1
            return
        saved = [event for event in map(salvage.typed, found) if event is not None]
        self.rejected["malformed"] += len(found) - len(saved)
        if not found:
            self.rejected["empty"] += 1
        if saved:
            self.salvaged["compressed" if compression else fallback] += 1
            out.extend(saved)


def _open_envelope(data: bytes) -> tuple[bytes, str | None]:
    """Return body and compression of an envelope that is not as stock Celery writes it."""
    try:
        envelope = json.loads(data)
        content_type, body = envelope["content-type"], envelope["body"]
        encoding = (envelope.get("properties") or {}).get("body_encoding")
        compression = (envelope.get("headers") or {}).get("compression")
    except (*_REFUSALS, LookupError, TypeError, AttributeError):
        raise _Refused("malformed") from None
    if content_type != JSON:
        raise _Refused("content_type")
    if not isinstance(body, str) or not isinstance(compression, str | None):
        raise _Refused("malformed")
    if encoding != "base64":
        return body.encode("utf-8", "surrogatepass"), compression
    try:
        return base64.b64decode(body, validate=True), compression
    except (binascii.Error, ValueError):
        raise _Refused("malformed") from None


def _decompress(body: bytes, compression: str, limit: int) -> bytes:
    if compression != ZLIB:
        raise _Refused("content_type")
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # zlib or gzip header
    try:
        plain = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise _Refused("malformed") from None
    if len(plain) > limit:
        raise _Refused("oversized")
    return plain


def _decode_loosely(body: bytes) -> tuple[list[Any], Fallback]:
    """Return the elements of a body; one that cannot be read at all is None."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except _REFUSALS:
        return _decode_damaged(text), "damaged_batch"
    try:
        msgspec.json.decode(body)
    except _REFUSALS:
        fallback: Fallback = "not_strict_json"
    else:
        fallback = "loose_types"
    elements = found if isinstance(found, list) else [found]
    if len(elements) > MAX_BATCH:
        raise _Refused("oversized")
    return elements, fallback


def _decode_damaged(text: str) -> list[Any]:
    parts = list(islice(_split_batch(text), MAX_BATCH + 1))
    if len(parts) > MAX_BATCH:
        raise _Refused("oversized")
    return [_element(part) for part in parts]


def _element(text: str) -> Any:
    try:
        return json.loads(text)
    except _REFUSALS:
        return None


# Possessive, and content with a string that never ends: no input makes it go back and forth.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},]', re.DOTALL)
# Where an object begins, for sure: inside a string its quotes would be escaped.
_SEAM = re.compile(r',\s*(?=\{\s*"\w+"\s*:)')


def _split_batch(text: str) -> Iterator[str]:
    """Yield the elements of a JSON list that does not parse as a whole, each as its text.

    Counts brackets outside strings, so that no broken or bottomless element costs another. From
    where they do not match, after a cut say, the rest is split where objects seem to begin.
    """
    if not text.lstrip().startswith("["):
        raise _Refused("malformed")
    depth, start = 0, text.index("[") + 1
    for token in _TOKEN.finditer(text, start):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "," if not depth:
                yield text[start : token.start()]
                start = token.end()
            case "]" if not depth and not text[token.end() :].strip():
                yield text[start : token.start()]
                return
            case "]" | "}":
                depth -= 1
                if depth < 0:
                    break
    yield from _SEAM.split(text[start:].rstrip().removesuffix("]"))
