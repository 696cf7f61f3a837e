"""Judges what the page shows, so that a queue or a worker in trouble is seen at a glance."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from celery_sentinel.web.pages import html as html_text

if TYPE_CHECKING:
    from celery_sentinel.status import schema as status_schema

Tone = Literal["bad", "warn", "good", "calm"]

# A free worker takes a message in milliseconds, whatever age the objectives allow a backlog.
LEFT_LYING = 60.0  # seconds
DEAD_LETTERS = "dead_letter"
_TONES: dict[str, Tone] = {"critical": "bad", "warning": "warn"}
_SEVERITY = {"bad": 0, "warn": 1}
LEAST_SEVERE = len(_SEVERITY)
_WEDGED = {
    "not_answering": "sends heartbeats, answers nothing",
    "not_consuming": "consumes no queue any more",
    "no_progress": "free slots and a backlog, but starts nothing",
}


_HELD = "workers with free slots hold tasks they do not begin: a rate limit, or a stuck pool"


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """A label, the colour of its pill and, where the label is not enough, the reason."""

    label: str
    tone: Tone
    reason: html_text.Html | None = None

    @property
    def severity(self) -> int:
        """The place in a table: what is bad comes first."""
        return _SEVERITY.get(self.tone, LEAST_SEVERE)

    @property
    def alarming(self) -> bool:
        """Whether somebody has to act."""
        return self.tone == "bad"


def of_worker(worker: status_schema.WorkerStatus) -> Verdict:
    """Say whether a worker lives and works."""
    if worker.state == "lost":
        silence = html_text.duration(worker.last_heard_seconds)
        return Verdict("lost", "bad", html_text.Html(f"silent for {silence}"))
    if worker.wedged is not None:
        return Verdict("wedged", "bad", html_text.text(_WEDGED.get(worker.wedged, worker.wedged)))
    if worker.responding is False and worker.remote_control is False:
        return Verdict("up", "good", html_text.Html("its remote control seems to be off"))
    if worker.responding is False:
        return Verdict("not answering", "warn", html_text.Html("left the last poll unanswered"))
    if worker.state != "up":
        said = "may be running a task" if worker.may_be_working else "whether it is up is not known"
        return Verdict(worker.state, "warn", html_text.Html(said))
    silent = html_text.Html("sends no task events") if worker.events_enabled is False else None
    return Verdict("up", "good", silent)


def of_queue(queue: status_schema.QueueStatus) -> Verdict | None:
    """Say whether what waits in a queue is being worked on; None where that is not known."""
    if queue.foreign is not None:
        return Verdict("no queue", "warn", html_text.text(f"the broker has {queue.foreign} there"))
    if queue.length is None:
        return None
    if queue.length == 0:
        return Verdict("empty", "calm")
    if queue.role == DEAD_LETTERS:
        return Verdict("dead letters", "bad")
    if _is_forsaken(queue):
        return Verdict("no worker", "bad", html_text.Html("nobody consumes this queue"))
    return _of_backlog(queue)


def of_task(task: status_schema.TaskStatus) -> Verdict | None:
    """Say that a run lasts longer than its objective allows; None where none does."""
    if not task.missed:
        return None
    worst = task.missed[0]
    reason = html_text.Html(f"one has run for over {html_text.duration(worst.limit)}")
    return Verdict("stuck", _TONES[worst.severity], reason)


def _of_backlog(queue: status_schema.QueueStatus) -> Verdict:
    if _lies_unserved(queue) and queue.held:
        return Verdict("held back", "warn", html_text.Html(_HELD))
    if _lies_unserved(queue):
        return Verdict("stuck", "bad", html_text.Html("slots are free, yet messages lie there"))
    if queue.missed:
        return _missed(queue.missed[0])
    if not queue.slots or queue.slots_busy is None:
        return Verdict("waiting", "calm")
    if queue.slots_busy >= queue.slots:
        return Verdict("all slots busy", "warn")
    return Verdict("moving", "good")


def _missed(worst: status_schema.Missed) -> Verdict:
    if worst.objective == "length":
        label, limit = "too long", html_text.counted(int(worst.limit), "message")
    else:
        label, limit = "too old", html_text.duration(worst.limit)
    return Verdict(label, _TONES[worst.severity], html_text.Html(f"over the objective of {limit}"))


def _lies_unserved(queue: status_schema.QueueStatus) -> bool:
    """Tell whether messages lie in the queue although its workers have free slots.

    Not while they start others: with a rate limit that is all they may do.
    """
    if queue.started_seconds is not None and queue.started_seconds < LEFT_LYING:
        return False
    if not queue.slots or queue.slots_busy is None or queue.slots_busy >= queue.slots:
        return False
    return (queue.oldest_message_seconds or 0.0) >= LEFT_LYING


def _is_forsaken(queue: status_schema.QueueStatus) -> bool:
    """Tell whether nobody consumes; the broker's count goes before what workers answered."""
    return (queue.workers if queue.consumers is None else queue.consumers) == 0
