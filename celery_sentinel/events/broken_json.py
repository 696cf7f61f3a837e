"""Reads what there is in a body that is no proper JSON, at a cost that is bounded."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from celery_sentinel.events import shortened_json

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BATCH = 10_000  # elements; Celery's batches have 24
# Bytes of structure: what is longer because of a few long strings is cut to less before.
LARGEST = 512 * 1024
MOST_TOKENS = 100_000  # strings, brackets and commas of a list that has to be taken apart
_SMALL = 64 * 1024  # bytes below which nothing is worth cutting

Kind = Literal["not_strict_json", "loose_types", "damaged_batch"]

# Everything msgspec and the standard library raise on input they do not like.
REFUSALS = (msgspec.DecodeError, ValueError, RecursionError, MemoryError)


class Refused(Exception):  # noqa: N818 -- a signal between the decoder and its parts
    """A message that cannot be used; its argument is the reason it is counted under."""


def elements(body: bytes) -> tuple[list[Any], Kind]:
    """Return the elements of a body, and what was wrong with it; None is one that is unreadable.

    Raises ``Refused`` for what has too many, or would cost too much.
    """
    if len(body) > _SMALL:
        short = shortened_json.shortened(body)
        if short is None or len(short) > LARGEST:
            raise Refused("too_costly")
        body = short
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except REFUSALS:
        return _apart(text), "damaged_batch"
    try:
        msgspec.json.decode(body)
    except REFUSALS:
        kind: Kind = "not_strict_json"
    else:
        kind = "loose_types"
    return listed(found), kind


def listed(found: Any) -> list[Any]:
    """Return what was decoded as a list of elements; raise ``Refused`` for too many."""
    several = found if isinstance(found, list) else [found]
    if len(several) > MAX_BATCH:
        raise Refused("oversized")
    return several


def _apart(text: str) -> list[Any]:
    parts = list(islice(_split_batch(text), MAX_BATCH + 1))
    if len(parts) > MAX_BATCH:
        raise Refused("oversized")
    return [_element(part) for part in parts]


def _element(text: str) -> Any:
    try:
        return json.loads(text)
    except REFUSALS:
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
        raise Refused("malformed")
    depth, start = 0, text.index("[") + 1
    for count, token in enumerate(_TOKEN.finditer(text, start)):
        if count >= MOST_TOKENS:
            raise Refused("too_costly")
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
