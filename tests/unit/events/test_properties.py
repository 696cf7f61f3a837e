"""What holds for whatever bytes may come."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
from hypothesis import strategies as st

from celery_sentinel.events import decoding
from celery_sentinel.events.event import LONGEST, Event
from tests.unit.events import published

LITERALS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
# With what text() leaves out: lone surrogates.
ANY_TEXT = st.text(st.characters()) | st.text(st.characters(categories=["Cs", "Ll"]))
JSON = st.recursive(
    LITERALS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
INTEGERS = st.integers() | st.integers(-(10**400), 10**400)
MEASURES = st.floats(-LONGEST, LONGEST) | st.integers(-(10**11), 10**11)
MOMENTS = st.floats(0.0, LONGEST) | st.integers(0, 10**11)
KEPT = st.integers(-(2**63) + 1, 2**63 - 1)
BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "str": st.text(),
    "str | None": st.none() | st.text(),
    "Kept": KEPT,
    "Kept | None": st.none() | KEPT,
    "int | None": st.none() | INTEGERS,
    "Moment": MOMENTS,
    "Measure | None": st.none() | MEASURES,
    "bool | None": st.none() | st.booleans(),
    "list[Measure] | None": st.none() | st.lists(MEASURES, max_size=3),
}
FIELDS = {name: BY_TYPE[kind] for name, kind in Event.__annotations__.items()}
EXTRA = st.dictionaries(
    st.text().filter(lambda key: key not in FIELDS),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()),
    max_size=3,
)
EVENTS = st.builds(
    lambda known, extra: extra | known,
    st.fixed_dictionaries(
        {"type": FIELDS["type"]},
        optional={name: kind for name, kind in FIELDS.items() if name != "type"},
    ),
    EXTRA,
)
# Near misses: objects with our keys and anything for a value.
LOOSE = st.dictionaries(st.sampled_from([*FIELDS, "x"]) | ANY_TEXT, JSON, max_size=6)


def _plain(raw: dict[str, Any]) -> Event:
    """Return the event of a valid object, with msgspec's conversion of integers to floats."""
    event = published.plain(raw)
    for name in ("timestamp", "runtime", "freq"):
        value = getattr(event, name)
        setattr(event, name, value if value is None else float(value))
    if event.loadavg is not None:
        event.loadavg = [float(value) for value in event.loadavg]
    return event


@hypothesis.given(st.binary(max_size=300))
def test_any_bytes_are_accounted_for(data: bytes) -> None:
    """Bytes of any kind end in events or in a count, as an envelope and as a body."""
    assert published.decoded(data).accounted
    assert published.decoded(published.envelope(data)).accounted
    assert published.decoded_body(data).accounted
    assert published.decoded_body(data, compression=decoding.ZLIB).accounted


@hypothesis.given(
    st.text(st.sampled_from('[]{},:"\\ \n019.eE-+nulltrefasINy\x00\ud800'), max_size=60)
)
def test_what_looks_like_json_is_accounted_for(text: str) -> None:
    """Text made of JSON's own characters ends in events or in a count."""
    data = text.encode("utf-8", "surrogatepass")
    assert published.decoded_body(data).accounted
    assert published.decoded_body(b"[" + data).accounted


@hypothesis.given(JSON)
def test_any_json_is_accounted_for(value: object) -> None:
    """JSON of any shape ends in events or in a count, as an envelope and as a body."""
    data = json.dumps(value).encode()
    assert published.decoded(data).accounted
    assert published.decoded_body(data).accounted
    assert published.decoded(published.envelope(data)).accounted


@hypothesis.given(st.lists(LOOSE | EVENTS | JSON, min_size=1, max_size=5))
def test_each_element_of_a_list_is_accounted_for(batch: list[object]) -> None:
    """A list that parses yields or counts each of its elements."""
    outcome = published.decoded_body(json.dumps(batch).encode())
    assert len(outcome.events) + outcome.rejected.get("malformed", 0) == len(batch)


@hypothesis.given(
    st.dictionaries(st.sampled_from(["body", "content-type", "headers", "properties"]), JSON)
)
def test_any_envelope_is_accounted_for(changes: dict[str, Any]) -> None:
    """An envelope with anything for its parts ends in events or in a count."""
    assert published.decoded(published.envelope(b'{"type": "a"}', **changes)).accounted


@hypothesis.given(st.lists(EVENTS, min_size=1, max_size=4), st.booleans())
def test_fast_and_slow_agree(batch: list[dict[str, Any]], ascii_only: bool) -> None:
    """Valid events are the same from both paths; a NaN in a field we skip forces the slow one."""
    text = json.dumps(batch, ensure_ascii=ascii_only).encode()
    fast = published.decoded(published.envelope(text))
    slow = published.decoded(published.envelope(text.replace(b"{", b'{"": NaN, ', 1)))
    assert fast.events == slow.events == [_plain(raw) for raw in batch]
    assert (fast.salvaged, slow.salvaged) == ({}, {"not_strict_json": 1})
    assert fast.rejected == slow.rejected == {}


@hypothesis.given(st.lists(EVENTS, min_size=2, max_size=4), st.data())
def test_a_damaged_batch_agrees_too(batch: list[dict[str, Any]], data: st.DataObject) -> None:
    """Cut up by brackets, or by where objects begin, valid events are still the same."""
    texts = [json.dumps(raw) for raw in batch]
    place = data.draw(st.integers(0, len(texts)))
    broken = data.draw(st.sampled_from(["?", '{"type": "a", "x": [[[', '{"type": "a}']))
    body = f"[{', '.join([*texts[:place], broken, *texts[place:]])}]"
    found = published.decoded_body(body.encode()).events
    if broken == "?":
        assert found == [_plain(raw) for raw in batch]
    else:
        assert found[:place] == [_plain(raw) for raw in batch[:place]]


@hypothesis.given(st.lists(EVENTS, min_size=1, max_size=3), st.data())
def test_the_events_before_a_cut_survive(batch: list[dict[str, Any]], data: st.DataObject) -> None:
    """However events are written, those that stand whole before a cut arrive first."""
    texts = [json.dumps(raw, ensure_ascii=False).encode() for raw in batch]
    body = b"[" + b",".join(texts) + b"]"
    cut = data.draw(st.integers(0, len(body) - 1))
    whole = sum(len(b",".join(texts[: n + 1])) + 1 <= cut for n in range(len(texts)))
    outcome = published.decoded_body(body[:cut])
    assert outcome.events[:whole] == [_plain(raw) for raw in batch[:whole]]
    assert outcome.rejected or outcome.salvaged
