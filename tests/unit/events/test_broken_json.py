"""One broken event costs itself: its neighbours arrive, and the loss is counted."""

from __future__ import annotations

import json
import time

import pytest

from celery_sentinel.events import decoding
from celery_sentinel.events.event import Event
from tests.unit.events import published

NEIGHBOURS = published.started(23)
EXPECTED = [published.plain(raw) for raw in NEIGHBOURS]

# What cannot be read as an event at all, as it would stand in a batch.
POISONS = {
    "a number": "1",
    "a string": '"task-started"',
    "null": "null",
    "NaN": "NaN",
    "a list": "[7]",
    "an empty object": "{}",
    "nothing": "",
    "no type": '{"hostname": "w1@host", "uuid": "u"}',
    "a type that is a number": '{"type": 7}',
    "a type of null": '{"type": null}',
    "an id that is a float": '{"type": "task-started", "uuid": 7.5}',
    "an id that is true": '{"type": "task-started", "uuid": true}',
    "an id of null": '{"type": "task-started", "uuid": null}',
    "a typed id that is none": (
        '{"type": "task-started", "uuid": {"__type__": "uuid", "__value__": "zz"}}'
    ),
    "a typed id without a value": '{"type": "task-started", "uuid": {"__type__": "uuid"}}',
    "an id of another type": (
        '{"type": "task-started", "uuid": {"__type__": "date", "__value__": "2026-01-01"}}'
    ),
    "deep lists": '{"type": "a", "x": ' + "[" * 20_000 + "]" * 20_000 + "}",
    "deep objects": '{"type": "a", "x": ' + '{"x":' * 20_000 + "1" + "}" * 20_000 + "}",
    "bare depth": "[" * 20_000 + "]" * 20_000,
    "bottomless lists": '{"type": "a", "x": ' + "[" * 20_000,
    "bottomless objects": '{"type": "a", "x": ' + '{"x":' * 20_000,
    "a bare word": "nope",
    "a broken literal": '{"type": "a", "x": tru}',
    "an unquoted key": '{type: "a"}',
    "single quotes": "{'type': 'a'}",
    "a missing colon": '{"type" "a"}',
    "a missing comma": '{"type": "a" "x": 1}',
    "a trailing comma": '{"type": "a",}',
    "a missing quote": '{"type": "task-started}',
    "a missing brace": '{"type": "task-started"',
    "a brace too many": '{"type": "task-started"}}',
    "a bracket too many": '{"type": "task-started"}]',
    "a bad escape": r'{"type": "a", "x": "\q"}',
    "half an escape": r'{"type": "a", "x": "\u12"}',
    "a raw NUL": '{"type": "a", "x": "\x00"}',
    "a raw newline": '{"type": "a", "x": "\n"}',
    "a number of 5000 digits": '{"type": "a", "pid": ' + "9" * 5000 + "}",
    "a number with two points": '{"type": "a", "pid": 1.2.3}',
    "a hexadecimal number": '{"type": "a", "pid": 0x10}',
    "a comment": '{"type": "a"} /* b */',
}

# What is an event all the same, though strict decoding refuses it; and what is kept of it.
ODDITIES = {
    "NaN, kept": ('{"type": "a", "runtime": NaN}', {"type": "a"}),
    "Infinity, kept": ('{"type": "a", "timestamp": -Infinity}', {"type": "a"}),
    "NaN, skipped": ('{"type": "a", "x": NaN, "pid": 1}', {"type": "a", "pid": 1}),
    "a surrogate, skipped": (r'{"type": "a", "x": "\udcff"}', {"type": "a"}),
    "a surrogate, kept": (r'{"type": "a", "name": "\udcff"}', {"type": "a", "name": "\udcff"}),
    "1e999, kept": ('{"type": "a", "runtime": 1e999}', {"type": "a"}),
    "10**400 for a float": ('{"type": "a", "runtime": 1' + "0" * 400 + "}", {"type": "a"}),
    "true for an integer": ('{"type": "a", "pid": true}', {"type": "a"}),
    "a float for an integer": ('{"type": "a", "pid": 7.0}', {"type": "a", "pid": 7}),
    "a text for an integer": ('{"type": "a", "pid": "7"}', {"type": "a"}),
    "a number for a text": ('{"type": "a", "name": 7}', {"type": "a"}),
    "a number for a boolean": ('{"type": "a", "expired": 1}', {"type": "a"}),
    "an object for a number": ('{"type": "a", "runtime": {}}', {"type": "a"}),
    "a text for a list": ('{"type": "a", "loadavg": "1"}', {"type": "a"}),
    "a list of texts": ('{"type": "a", "loadavg": [1, "2"]}', {"type": "a"}),
    "an id that is a number": (
        '{"type": "task-started", "uuid": 7}',
        {"type": "task-started", "uuid": "7"},
    ),
    "a host of null": ('{"type": "a", "hostname": null}', {"type": "a"}),
}


def _batch(*elements: str) -> bytes:
    return f"[{', '.join(elements)}]".encode()


@pytest.mark.parametrize("place", [0, 11, 23])
@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_one_poisoned_event_among_24(poison: str, place: int) -> None:
    """The 23 others arrive in order, one event is counted as malformed, one message as saved."""
    elements = [json.dumps(raw) for raw in NEIGHBOURS]
    body = _batch(*elements[:place], poison, *elements[place:])
    outcome = published.decoded(published.envelope(body))
    assert outcome.events == EXPECTED
    assert outcome.rejected == {"malformed": 1}
    assert sum(outcome.salvaged.values()) == 1


@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
def test_a_poisoned_event_alone(poison: str) -> None:
    """A message of nothing but a broken event is malformed, and nothing is saved of it."""
    for body in (poison.encode(), _batch(poison)):
        outcome = published.decoded_body(body)
        assert outcome.events == []
        assert set(outcome.rejected) <= {"malformed", "empty"}
        assert (sum(outcome.rejected.values()), outcome.salvaged) == (1, {})


@pytest.mark.parametrize(("text", "kept"), ODDITIES.values(), ids=ODDITIES)
def test_a_field_of_the_wrong_type_costs_only_itself(text: str, kept: dict[str, object]) -> None:
    """The event arrives without that field, and so do all its neighbours."""
    odd = Event(**kept)
    elements = [json.dumps(raw) for raw in NEIGHBOURS]
    outcome = published.decoded(published.envelope(_batch(*elements, text)))
    assert outcome.events == [*EXPECTED, odd]
    assert outcome.rejected == {}
    assert sum(outcome.salvaged.values()) == 1
    assert published.decoded_body(text.encode()).events == [odd]


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "a", "x": 1e999}',
        '{"type": "a", "x": ' + "9" * 5000 + "}",
        '{"type": "a", "type": "b", "x": {"type": "c"}}',
        r'{"\u0074ype": "a"}',
        '{"type": "a", "active": 9223372036854775809, "pid": -170141183460469231731687303715}',
        '{"type": "a", "pid": 1' + "0" * 400 + "}",
    ],
)
def test_the_slow_path_reads_what_the_fast_path_reads(text: str) -> None:
    """Duplicate keys, escapes and integers of any size mean the same on both paths."""
    fast = published.decoded_body(text.encode())
    slow = published.decoded_body(f"[{text}, NaN]".encode())
    assert fast.salvaged == {}
    assert len(fast.events) == 1
    if "9" * 5000 not in text:  # the standard library refuses the message as a whole for that
        assert slow.events == fast.events


@pytest.mark.parametrize("field", ["x", "name"])
def test_bytes_that_are_no_utf8(field: str) -> None:
    """Bytes that are no UTF-8 cost at most the characters they stand for."""
    body = b'[{"type": "a", "%s": "\xff\xfe"}, {"type": "b"}]' % field.encode()
    outcome = published.decoded_body(body)
    assert [event.type for event in outcome.events] == ["a", "b"]
    assert outcome.events[0].name in {None, "\ufffd\ufffd"}


def test_a_type_in_bytes_that_are_no_utf8() -> None:
    """Not even the type costs the neighbour."""
    outcome = published.decoded_body(b'[{"type": "\xff"}, {"type": "b"}]')
    assert [event.type for event in outcome.events] == ["\ufffd", "b"]


@pytest.mark.parametrize("separator", [", ", ",", " ,\n\t"])
def test_a_body_cut_at_every_byte(separator: str) -> None:
    """Whatever stands whole before the cut arrives; the cut message is always counted."""
    elements = [json.dumps(raw) for raw in NEIGHBOURS[:5]]
    body = f"[{separator.join(elements)}]".encode()
    ends = [len(separator.join(elements[: n + 1])) + 1 for n in range(len(elements))]
    for cut in range(len(body)):
        outcome = published.decoded_body(body[:cut])
        whole = sum(end <= cut for end in ends)
        assert outcome.events == EXPECTED[:whole], cut
        assert outcome.salvaged == ({"damaged_batch": 1} if whole else {}), cut
        at_an_end = cut in ends or body[:cut].strip() in {body[:end] for end in ends}
        assert outcome.rejected == ({} if at_an_end else {"malformed": 1}), cut


def test_a_single_event_cut_at_every_byte() -> None:
    """A single event that is cut is malformed, wherever the cut is."""
    body = json.dumps(NEIGHBOURS[0]).encode()
    for cut in range(len(body)):
        outcome = published.decoded_body(body[:cut])
        assert (outcome.events, outcome.rejected) == ([], {"malformed": 1}), cut
        assert outcome.salvaged == {}


@pytest.mark.parametrize("encoding", ["base64", None])
def test_an_envelope_cut_at_every_byte(encoding: str | None) -> None:
    """An envelope that is cut is malformed, wherever the cut is."""
    body = json.dumps(NEIGHBOURS[:3])
    data = published.envelope(body.encode(), properties={"body_encoding": encoding})
    for cut in range(len(data)):
        outcome = published.decoded(data[:cut])
        assert (outcome.events, outcome.rejected) == ([], {"malformed": 1}), cut


def test_the_decoder_lives_on() -> None:
    """After every poison the same decoder takes the next message as if nothing had been."""
    decoder, found = decoding.Decoder(), list[Event]()
    good = published.envelope(json.dumps(NEIGHBOURS).encode())
    for poison in POISONS.values():
        decoder.envelope(published.envelope(poison.encode()), found)
    assert found == []
    decoder.envelope(good, found)
    assert found == EXPECTED


HEAVY = {
    "quotes that never end": b'["' + b'\\"' * 1_500_000 + b"\\",
    "a string that never ends": b'["' + b"a" * 3_000_000,
    "brackets": b"[" * 3_000_000,
    "braces": b"[" + b"{" * 3_000_000,
    "closing brackets": b"[" + b"]" * 3_000_000,
    "commas": b"[" + b"," * 3_000_000,
    "blanks": b"[" + b" " * 3_000_000 + b"x",
    "commas and blanks": b"[{" + b", " * 1_500_000,
    "small objects": b"[" + b"{}," * 1_000_000,
    "seams in one object": b'[{"a":[' + b'{"a":1},' * 300_000,
    "openings": b"[" + b'{"a":[' * 400_000,
}


@pytest.mark.parametrize("body", HEAVY.values(), ids=HEAVY)
def test_no_message_holds_the_receiver_up(body: bytes) -> None:
    """The largest message, built to be as slow as can be, costs seconds at the very worst."""
    begun = time.process_time()
    outcome = published.decoded_body(body)
    assert time.process_time() - begun < 10
    assert outcome.accounted
