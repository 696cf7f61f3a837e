"""Every event as stock Celery writes it arrives whole, by the fast path where that can be."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.events import published

if TYPE_CHECKING:
    from celery.events import EventDispatcher

TASK_ID = "8b7d6bd4-9e2a-4a8a-a6a2-1f3d6a5c9f00"
EVENTS: dict[str, dict[str, Any]] = {
    "task-sent": {
        "uuid": TASK_ID,
        "root_id": TASK_ID,
        "parent_id": None,
        "name": "shop.pay",
        "args": "(1, 'x')",
        "kwargs": "{}",
        "retries": 1,
        "eta": "2026-08-01T12:00:00+00:00",
        "expires": None,
        "queue": "mail",
        "exchange": "",
        "routing_key": "mail",
    },
    "task-received": {
        "uuid": TASK_ID,
        "name": "shop.pay",
        "args": "()",
        "kwargs": "{}",
        "root_id": TASK_ID,
        "parent_id": None,
        "retries": 0,
        "eta": None,
        "expires": None,
    },
    "task-started": {"uuid": TASK_ID},
    "task-succeeded": {"uuid": TASK_ID, "result": "3", "runtime": 0.25},
    "task-failed": {"uuid": TASK_ID, "exception": "ValueError('x')", "traceback": "Traceback ..."},
    "task-retried": {"uuid": TASK_ID, "exception": "OSError()", "traceback": "Traceback ..."},
    "task-revoked": {"uuid": TASK_ID, "terminated": True, "signum": 15, "expired": False},
    "task-rejected": {"uuid": TASK_ID, "requeue": True},
    "task-cancelled": {"uuid": TASK_ID},
    "task-progress": {"uuid": TASK_ID, "percent": 7, "nested": [{"deep": [None]}]},
    "worker-online": {
        "freq": 2.0,
        "active": 0,
        "processed": 0,
        "loadavg": [0.5, 0.25, 0.125],
        "sw_ident": "py-celery",
        "sw_ver": "5.7.0",
        "sw_sys": "Linux",
    },
    "worker-heartbeat": {"freq": 5, "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux"},
    "worker-offline": {"freq": 2.0, "active": 2, "processed": 9, "loadavg": [0.5, 0.25, 0.125]},
    "worker-elect": {"id": "1", "topic": "t", "action": "a", "cver": 1},
}


def _send(dispatcher: EventDispatcher, *types: str) -> None:
    for name in types:
        dispatcher.send(name, **EVENTS[name])


@pytest.mark.parametrize("body_encoding", ["base64", None, "utf-8"])
@pytest.mark.parametrize("name", EVENTS)
def test_every_event_is_decoded(name: str, body_encoding: str | None) -> None:
    """Each type has its kept fields, however kombu encodes the body."""
    [envelope] = published.sent(
        lambda dispatcher: _send(dispatcher, name), body_encoding=body_encoding
    )
    outcome = published.decoded(envelope)
    [event] = outcome.events
    assert event.type == name
    assert event.hostname == published.HOSTNAME
    assert event.timestamp > 1.6e9
    kept = set(EVENTS[name]) & set(event.__struct_fields__)
    assert {key: getattr(event, key) for key in kept} == {key: EVENTS[name][key] for key in kept}
    assert outcome.rejected == {}
    assert outcome.salvaged == {}


def test_what_an_event_lacks_is_its_default() -> None:
    """The heartbeat by remote control has no counts, and they are not taken for zero."""
    [event] = published.decoded(
        published.sent(lambda dispatcher: _send(dispatcher, "worker-heartbeat"))
    ).events
    assert (event.freq, event.active, event.processed, event.loadavg) == (5.0, None, None, None)


def test_a_batch_keeps_its_order() -> None:
    """A buffered batch is one message, and its events come out in the order they went in."""
    names = ["task-received", "task-started", "task-succeeded"]
    envelopes = published.sent(lambda dispatcher: _send(dispatcher, *names), buffered=True)
    assert len(envelopes) == 1
    outcome = published.decoded(envelopes)
    assert [event.type for event in outcome.events] == names
    assert (outcome.rejected, outcome.salvaged) == ({}, {})


def test_a_full_batch() -> None:
    """Celery's largest batch, of 24, is decoded whole on the fast path."""
    envelopes = published.sent(
        lambda dispatcher: _send(dispatcher, *["task-started"] * 24), buffered=True
    )
    outcome = published.decoded(envelopes)
    assert (len(envelopes), len(outcome.events), outcome.salvaged) == (1, 24, {})


@pytest.mark.parametrize("body", [b"[]", b"[ ]", b" []\n"])
def test_an_empty_list_is_counted(body: bytes) -> None:
    """The empty list that Celery's threads pool sends is counted, and yields nothing."""
    for outcome in (
        published.decoded(published.envelope(body)),
        published.decoded_body(body),
    ):
        assert (outcome.events, outcome.rejected, outcome.salvaged) == ([], {"empty": 1}, {})


def test_a_blind_event_has_no_clock() -> None:
    """An event sent blind has null for its clock."""
    [event] = published.decoded(
        published.sent(lambda dispatcher: dispatcher.send("task-started", blind=True, uuid=TASK_ID))
    ).events
    assert event.clock is None


def test_a_success_without_a_run_time() -> None:
    """A runtime of null stays unknown."""
    [event] = published.decoded(
        published.sent(
            lambda dispatcher: dispatcher.send("task-succeeded", uuid=TASK_ID, runtime=None)
        )
    ).events
    assert (event.type, event.runtime) == ("task-succeeded", None)


@pytest.mark.parametrize("signum", [15, None, "SIGKILL"])
def test_any_signal_is_taken(signum: object) -> None:
    """What the signal of a revoked task is written as does not matter."""
    outcome = published.decoded(
        published.sent(
            lambda dispatcher: dispatcher.send(
                "task-revoked", uuid=TASK_ID, signum=signum, terminated=True, expired=False
            )
        )
    )
    assert (len(outcome.events), outcome.salvaged) == (1, {})


def test_a_typed_uuid_becomes_its_text() -> None:
    """Kombu wraps a task id that is a UUID; the record of the task is found all the same."""
    task_id = uuid.UUID(TASK_ID)
    outcome = published.decoded(
        published.sent(lambda dispatcher: dispatcher.send("task-started", uuid=task_id))
    )
    assert [event.uuid for event in outcome.events] == [TASK_ID]
    assert outcome.salvaged == {"loose_types": 1}


@pytest.mark.parametrize(
    "wrapped",
    [
        {"__type__": "uuid", "__value__": {"hex": TASK_ID.replace("-", ""), "version": 4}},
        {"__type__": "uuid", "__value__": TASK_ID},
    ],
)
def test_both_forms_of_a_typed_uuid(wrapped: dict[str, Any]) -> None:
    """Kombu has wrapped UUIDs in two ways over time; both are read."""
    body = json.dumps({"type": "task-started", "uuid": wrapped}).encode()
    assert [event.uuid for event in published.decoded_body(body).events] == [TASK_ID]


@pytest.mark.parametrize("buffered", [False, True])
@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), "\udcff", "\ud800 and text"]
)
def test_what_strict_json_forbids_in_a_field_we_skip(value: object, *, buffered: bool) -> None:
    """NaN, Infinity and lone surrogates, which Celery does write, cost nothing."""
    envelopes = published.sent(
        lambda dispatcher: (
            dispatcher.send("task-started", uuid=TASK_ID),
            dispatcher.send("task-succeeded", uuid=TASK_ID, result=value, runtime=0.5),
        ),
        buffered=buffered,
    )
    outcome = published.decoded(envelopes)
    assert [event.type for event in outcome.events] == ["task-started", "task-succeeded"]
    assert outcome.events[1].runtime == 0.5
    assert (outcome.rejected, outcome.salvaged) == ({}, {"not_strict_json": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_none_in_a_field_we_keep(value: float) -> None:
    """A run time of NaN or Infinity is unknown; the event counts."""
    [event] = published.decoded(
        published.sent(
            lambda dispatcher: dispatcher.send("task-succeeded", uuid=TASK_ID, runtime=value)
        )
    ).events
    assert (event.uuid, event.runtime) == (TASK_ID, None)


def test_a_lone_surrogate_in_a_field_we_keep() -> None:
    """A text with half a character is kept; what shows it makes it valid."""
    [event] = published.decoded(
        published.sent(
            lambda dispatcher: dispatcher.send(
                "task-failed", uuid=TASK_ID, exception="ValueError('\udcff')"
            )
        )
    ).events
    assert event.exception == "ValueError('\udcff')"


def test_the_body_of_an_amqp_message() -> None:
    """On AMQP the same JSON comes without base64 and envelope."""
    tap = published.Tap(body_encoding="base64")
    try:
        tap.dispatcher.send("task-sent", **EVENTS["task-sent"])
        [message] = tap.messages()
    finally:
        tap.close()
    outcome = published.decoded_body(base64.b64decode(message["body"]))
    assert [(event.name, event.queue) for event in outcome.events] == [("shop.pay", "mail")]
    assert outcome.salvaged == {}
