"""What is large is counted where its fields can be read; what costs too much is refused."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest

from celery_sentinel.events import broken_json, decoding, shortened_json
from tests.unit.events import published

MIB = 1024 * 1024
NEIGHBOURS = published.started(3)


def _failed(message: str) -> dict[str, object]:
    """Return a failure as Celery writes it: type and time come last."""
    return {
        "hostname": published.HOSTNAME,
        "utcoffset": 0,
        "pid": 17,
        "clock": 9,
        "uuid": "6c1d",
        "exception": f"ValueError({message!r})",
        "traceback": f"Traceback (most recent call last):\n  File\nValueError: {message}",
        "timestamp": 1.7e9,
        "type": "task-failed",
    }


def _types(outcome: published.Outcome) -> list[str]:
    return [event.type for event in outcome.events]


@pytest.mark.parametrize("size", [2 * MIB, 8 * MIB])
@pytest.mark.parametrize("character", ["x", "\xff", "\\", '"', "é", "😀", "\ud800"])
def test_a_large_failure_among_others(character: str, size: int) -> None:
    """It is a failure with its id, its time and its class, and its neighbours arrive."""
    text = json.dumps([NEIGHBOURS[0], _failed(character * (size // 2)), *NEIGHBOURS[1:]])
    for outcome in (
        published.decoded(published.envelope(text.encode())),
        published.decoded_body(text.encode()),
    ):
        started = ["task-started"]
        assert _types(outcome) == [*started, "task-failed", *started, *started]
        failed = outcome.events[1]
        assert (failed.uuid, failed.pid, failed.timestamp) == ("6c1d", 17, 1.7e9)
        assert failed.exception is not None
        assert failed.exception.startswith("ValueError(")
        assert outcome.rejected == {}


def test_a_large_failure_in_msgpack() -> None:
    """It is read as well."""
    body = msgspec.msgpack.encode([_failed("x" * 5 * MIB), *NEIGHBOURS])
    outcome = published.decoded_body(body, content_type=decoding.MSGPACK)
    assert _types(outcome) == ["task-failed", *["task-started"] * 3]
    assert outcome.salvaged == {"oversized": 1}


def test_msgpack() -> None:
    """Read as JSON is; a field of the wrong type is left out, and garbage is malformed."""
    plain = [published.plain(raw) for raw in NEIGHBOURS]
    for body in (msgspec.msgpack.encode(NEIGHBOURS), msgspec.msgpack.encode(tuple(NEIGHBOURS))):
        assert published.decoded_body(body, content_type=decoding.MSGPACK).events == plain
        enveloped = published.envelope(body, **{"content-type": decoding.MSGPACK})
        assert published.decoded(enveloped).events == plain
    loose = msgspec.msgpack.encode([{**NEIGHBOURS[0], "pid": "x", "runtime": float("nan")}])
    outcome = published.decoded_body(loose, content_type=decoding.MSGPACK)
    assert [(event.type, event.pid) for event in outcome.events] == [("task-started", None)]
    for garbage in (
        b"",
        b"\xc1",
        b"\xdd\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\xdf" * 50,
        b"\x90",
    ):
        outcome = published.decoded_body(garbage, content_type=decoding.MSGPACK)
        assert (outcome.events, sum(outcome.rejected.values())) == ([], 1)


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b"{}" * MIB,
        b"[" + b"[" * MIB,
        b"[" + b"{}," * MIB,
        b"[" + b'"",' * MIB,
        b"[" + b'{"a":1},' * (MIB // 2) + b"nope]",
        b'[{"a":' * MIB,
        b"[" + b"1," * MIB + b"x]",
    ],
    ids=repr,
)
def test_what_costs_more_than_it_is_worth(body: bytes) -> None:
    """Structure without end is refused by size, before anything is made of it."""
    outcome = published.decoded_body(body[: 4 * MIB])
    assert outcome.events == []
    assert outcome.rejected.keys() <= {"too_costly", "oversized", "malformed"}
    assert sum(outcome.rejected.values()) == 1


def test_a_list_of_too_many_tokens() -> None:
    """A text that is small enough may still be of too many parts to be taken apart."""
    body = b"[" + b"{}" * (broken_json.MOST_TOKENS // 2 + 1)
    assert published.decoded_body(body).rejected == {"too_costly": 1}


def test_shortened_text_stays_whole() -> None:
    """No escape and no character is cut in two, whatever stands where the cut is."""
    for shift, piece in itertools.product(range(12), ["\\", '"', "\n", "é", "😀", "\x01", "ab"]):
        text = "x" * shift + piece * 6000
        for ascii_only in (True, False):
            body = json.dumps([{"a": text, "b": 1}, "c"], ensure_ascii=ascii_only).encode()
            short = shortened_json.shortened(body)
            assert short is not None
            assert len(short) < 2 * shortened_json.LONGEST
            found = json.loads(short.decode())
            assert (found[0]["b"], found[1]) == (1, "c")


def test_the_names_of_content_types_are_few_and_short() -> None:
    """A stranger cannot fill the page with them."""
    decoder = decoding.Decoder()
    for number in range(100):
        decoder.body(b"x", [], content_type=f"{number}" + "x" * 1000)
    assert len(decoder.refused_types) == decoding.MOST_TYPES
    assert max(map(len, decoder.refused_types)) <= 60
    assert decoder.rejected["content_type"] == 100
