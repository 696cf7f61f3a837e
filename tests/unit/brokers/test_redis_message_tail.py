"""Id and time of a task are read from the end of its message, and nothing else is."""

from __future__ import annotations

import json
import uuid
from typing import Any

import celery
import kombu
import pytest
from hypothesis import given, strategies as st

from celery_sentinel import poll_results
from celery_sentinel.brokers.redis import message_tail, queues as redis_queues

ID = "1c4a8e1a-0e0b-4a5e-9a55-5a8f0f8d8a34"


def message(task_id: str | None = ID, *, body: Any = "", **headers: Any) -> bytes:
    """Return a task's message as kombu puts it into a Redis list."""
    properties: dict[str, Any] = {"reply_to": "r", "delivery_mode": 2, "priority": 0}
    if task_id is not None:
        properties = {"correlation_id": task_id, **properties}
    return json.dumps(
        {
            "body": body,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": {"lang": "py", "task": "a", "id": task_id, **headers},
            "properties": properties,
        }
    ).encode()


def end(whole: bytes) -> bytes:
    """Return as much as is read of a message."""
    return whole[-redis_queues.TAIL_BYTES :]


def test_given_a_message_that_kombu_made_then_its_id_is_found() -> None:
    """What Celery publishes, in the envelope of kombu's virtual transports."""
    app = celery.Celery(set_as_current=False)
    with kombu.Connection("memory://") as connection, connection.channel() as channel:
        queue = kombu.Queue(f"tail-{uuid.uuid4()}", channel=channel)
        queue.declare()
        task = app.amqp.as_task_v2(ID, "a", ("x",))
        app.amqp.send_task_message(kombu.Producer(channel), "a", task, queue=queue)
        made = channel._get(queue.name)  # noqa: SLF001 -- the message as it is stored
    assert message_tail.tail(end(json.dumps(made).encode())) == poll_results.Tail(task_id=ID)


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        ("1700000000.123456789", 1700000000.1234567),
        ("1700000000", 1700000000.0),
        (1700000000.5, 1700000000.5),
        ("yesterday", None),
        ("17", None),
        (None, None),
        ("-1700000000.5", None),
        (True, None),
    ],
)
def test_given_the_header_of_sentrys_integration_then_its_time_is_read(
    stamp: object, at: float | None
) -> None:
    """Epoch seconds as a string or a number; what is neither is no time."""
    found = message_tail.tail(message(**{"sentry-task-enqueued-time": stamp}))
    assert found == poll_results.Tail(task_id=ID, enqueued_at=at)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")], ids=["compact", "spaced"])
def test_given_any_json_writer_then_the_id_is_found(separators: tuple[str, str]) -> None:
    """Some write no spaces."""
    whole = json.dumps(json.loads(message()), separators=separators).encode()
    assert message_tail.tail(whole).task_id == ID


def test_given_a_large_message_then_its_end_is_enough() -> None:
    """Body and arguments come first, however long."""
    whole = message(body="A" * 10_000_000, argsrepr="x" * 5000)
    assert message_tail.tail(end(whole)).task_id == ID


@pytest.mark.parametrize("where", ["body", "argsrepr"])
def test_given_a_text_that_looks_like_an_id_or_a_time_then_it_is_not_taken_for_one(
    where: str,
) -> None:
    """Quotes inside of a text are escaped, so no argument can pass for a property."""
    text = '"correlation_id": "forged", "sentry-task-enqueued-time": "1600000000.0"'
    found = message_tail.tail(message(**{where: text}))  # type: ignore[arg-type]
    assert found == poll_results.Tail(task_id=ID)


def test_given_a_header_of_the_same_name_then_the_property_counts() -> None:
    """A site may have a correlation_id of its own in the headers."""
    assert message_tail.tail(message(correlation_id="the site's")).task_id == ID


@pytest.mark.parametrize("task_id", [None, "", 'a"b', "é", "x" * 256])
def test_given_no_id_that_can_be_read_so_then_it_is_unknown(task_id: str | None) -> None:
    """Without an id, or with one that is escaped or too long, the message has none."""
    assert message_tail.tail(message(task_id)).task_id is None


@given(st.binary(max_size=200))
def test_given_any_bytes_then_they_are_read_without_harm(noise: bytes) -> None:
    """What lies in a list need not be a message."""
    found = message_tail.tail(noise)
    assert found.task_id is None or len(found.task_id) <= 255
    both = message_tail.tail(noise.replace(b"correlation_id", b"") + message())
    assert both.task_id == ID


@given(st.uuids(version=4), st.integers(0, 400))
def test_given_a_message_cut_anywhere_before_its_properties_then_the_id_is_found(
    task_id: uuid.UUID, cut: int
) -> None:
    """Only the end is read; where it begins is chance."""
    whole = message(str(task_id), body="A" * 400)
    assert message_tail.tail(whole[cut:]).task_id == str(task_id)
