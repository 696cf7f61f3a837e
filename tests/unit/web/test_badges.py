"""The page calls the queue stuck and the worker wedged that are, and no others."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from celery_sentinel.status import schema as status_schema
from celery_sentinel.web.pages import badges

OLD = status_schema.Missed(objective="age_seconds", severity="warning", limit=300.0)
LONG = status_schema.Missed(objective="length", severity="critical", limit=5000.0)


@pytest.mark.parametrize(
    ("facts", "label", "tone"),
    [
        ({}, "up", "good"),
        ({"responding": None}, "up", "good"),
        ({"responding": False}, "not answering", "warn"),
        ({"responding": False, "wedged": "not_answering"}, "wedged", "bad"),
        ({"wedged": "no_progress"}, "wedged", "bad"),
        ({"state": "unheard"}, "unheard", "warn"),
        ({"state": "unheard", "responding": False}, "not answering", "warn"),
        ({"wedged": "not_consuming"}, "wedged", "bad"),
        ({"responding": False, "remote_control": False}, "up", "good"),
        ({"state": "lost"}, "lost", "bad"),
        ({"state": "lost", "responding": False, "wedged": "not_answering"}, "lost", "bad"),
    ],
)
def test_workers(
    worker: status_schema.WorkerStatus, facts: dict[str, Any], label: str, tone: str
) -> None:
    """The worst that is known of a worker is its verdict."""
    verdict = badges.of_worker(msgspec.structs.replace(worker, **facts))
    assert (verdict.label, verdict.tone) == (label, tone)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"events_enabled": False}, "sends no task events"),
        ({"state": "lost", "last_heard_seconds": 200.0}, "silent for 3 min 20 s"),
        ({"responding": False}, "left the last poll unanswered"),
        ({"wedged": "not_answering"}, "sends heartbeats, answers nothing"),
        ({"wedged": "not_consuming"}, "consumes no queue any more"),
        (
            {"responding": False, "remote_control": False},
            "its remote control seems to be off",
        ),
        ({"state": "unheard"}, "whether it is up is not known"),
        ({"state": "unheard", "may_be_working": True}, "may be running a task"),
        ({"wedged": "no_progress"}, "free slots and a backlog, but starts nothing"),
        ({"wedged": "<new>"}, "&lt;new&gt;"),
    ],
)
def test_reasons(
    worker: status_schema.WorkerStatus, facts: dict[str, Any], reason: str | None
) -> None:
    """A verdict says why in a few words, escaped."""
    assert badges.of_worker(msgspec.structs.replace(worker, **facts)).reason == reason


@pytest.mark.parametrize(
    ("facts", "label", "tone"),
    [
        ({}, "moving", "good"),
        ({"length": 0}, "empty", "calm"),
        ({"oldest_message_seconds": None}, "moving", "good"),
        ({"oldest_message_seconds": 59.9}, "moving", "good"),
        ({"oldest_message_seconds": 60.0}, "stuck", "bad"),
        ({"oldest_message_seconds": 600.0, "started_seconds": 10.0}, "moving", "good"),
        ({"oldest_message_seconds": 600.0, "started_seconds": 60.0}, "stuck", "bad"),
        (
            {"oldest_message_seconds": 600.0, "started_seconds": 60.0, "held": 8},
            "held back",
            "warn",
        ),
        ({"oldest_message_seconds": 600.0, "held": 0}, "stuck", "bad"),
        ({"oldest_message_seconds": 9e9, "slots_busy": 16}, "all slots busy", "warn"),
        ({"oldest_message_seconds": 9e9, "slots": None}, "waiting", "calm"),
        ({"workers": 0, "consumers": 0, "slots": 0, "slots_busy": 0}, "no worker", "bad"),
        ({"workers": 0, "consumers": None}, "no worker", "bad"),
        ({"workers": 0, "consumers": 3, "slots": 0, "slots_busy": 0}, "waiting", "calm"),
        ({"workers": None, "consumers": None, "slots": None}, "waiting", "calm"),
        ({"role": "dead_letter", "workers": 0, "consumers": 0}, "dead letters", "bad"),
        ({"role": "dead_letter", "length": 0}, "empty", "calm"),
        ({"missed": (OLD,)}, "too old", "warn"),
        ({"missed": (LONG, OLD)}, "too long", "bad"),
        ({"missed": (OLD,), "slots_busy": 16}, "too old", "warn"),
        ({"missed": (OLD,), "oldest_message_seconds": 60.0}, "stuck", "bad"),
        ({"missed": (LONG,), "workers": 0, "consumers": 0}, "no worker", "bad"),
    ],
)
def test_queues(
    queue: status_schema.QueueStatus, facts: dict[str, Any], label: str, tone: str
) -> None:
    """A queue is in trouble when nobody takes what could be taken, and not when all are busy."""
    verdict = badges.of_queue(msgspec.structs.replace(queue, **facts))
    assert verdict is not None
    assert (verdict.label, verdict.tone) == (label, tone)


def test_a_queue_that_was_not_read_has_no_verdict(queue: status_schema.QueueStatus) -> None:
    """Unknown is neither empty nor stuck."""
    assert badges.of_queue(msgspec.structs.replace(queue, length=None)) is None


@pytest.mark.parametrize(
    ("missed", "reason"),
    [(OLD, "over the objective of 5 min"), (LONG, "over the objective of 5,000 messages")],
)
def test_the_objective_is_named(
    queue: status_schema.QueueStatus, missed: status_schema.Missed, reason: str
) -> None:
    """A queue over its objective says what that is."""
    verdict = badges.of_queue(msgspec.structs.replace(queue, missed=(missed,)))
    assert verdict is not None
    assert verdict.reason == reason


def test_a_task_is_stuck_by_its_objective(task: status_schema.TaskStatus) -> None:
    """A run over its objective is called stuck; without one nothing is said."""
    assert badges.of_task(task) is None
    missed = status_schema.Missed(objective="stuck_seconds", severity="critical", limit=3600.0)
    verdict = badges.of_task(msgspec.structs.replace(task, missed=(missed,)))
    assert verdict == badges.Verdict("stuck", "bad", "one has run for over 1 h")
