"""Answers of workers have limits of size and shape; what passes them is refused with a reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from celery_sentinel import errors
from celery_sentinel.config import schema
from celery_sentinel.remote_control import (
    client as remote_control,
    connection as control_connection,
    replies,
)

JSON = "application/json"


def read(question: str, said: Any) -> replies.Answer:
    """Read what one worker says."""
    return replies.read(question, JSON, json.dumps({"w1@h": said}).encode())


def test_a_worker_that_runs_more_than_a_worker_can_is_refused() -> None:
    """All of it would be taken over under one lock."""
    tasks = [{"id": str(n)} for n in range(replies.MOST_ACTIVE + 1)]
    assert len(read("active", tasks[1:]).content) == replies.MOST_ACTIVE
    with pytest.raises(ValueError, match="runs 10001 tasks at once; at most 10000"):
        read("active", tasks)


@pytest.mark.parametrize("question", ["reserved", "scheduled"])
def test_of_what_a_worker_holds_only_the_number_is_kept(question: str) -> None:
    """The tasks themselves are not, whatever is in them."""
    held = [{"id": "1", "args": [1, {}]}, {"eta": None, "request": {"x": float("nan")}}]
    assert read(question, held).content == 2
    with pytest.raises(ValueError, match="Expected"):
        read(question, [1, 2])


def test_what_is_no_strict_json_may_be_less_long() -> None:
    """The slow way costs ten times the bytes."""
    long = b'{"w1@h": [{"x": NaN}%b]}' % (b" " * replies.LONGEST_LOOSE)
    with pytest.raises(ValueError, match="JSON"):
        replies.read("reserved", JSON, long)
    assert replies.read("reserved", JSON, long.replace(b"NaN", b"1")).content == 1


def test_a_content_type_without_end_is_told_in_part() -> None:
    """The reason is shown in the log."""
    with pytest.raises(ValueError, match="answers come as x") as refused:
        replies.read("stats", "x" * 10_000, b"{}")
    assert len(str(refused.value)) < 300


def test_the_answers_of_one_round_have_room_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes when it is used up is refused and counted."""
    monkeypatch.setattr(remote_control, "ROOM", 50)
    asking = remote_control.Control(schema.Config())
    asking._tickets, asking._room = {"t": "stats"}, remote_control.ROOM  # noqa: SLF001 -- as a round does
    for _ in range(5):
        body = json.dumps({"w1@h": {"pid": 1}})
        asking._take(control_connection.Message("t", JSON, body))  # noqa: SLF001
    assert len(asking._answers) == 50 // len(body)  # noqa: SLF001
    assert asking.unreadable == 5 - len(asking._answers)  # noqa: SLF001


def test_what_a_broker_says_without_end_is_cut() -> None:
    """It is shown in the log and on the page."""
    assert str(errors.BrokerError("x" * errors.LONGEST)) == "x" * errors.LONGEST
    assert str(errors.BrokerError("x" * 10**6)) == "x" * (errors.LONGEST - 1) + "…"
