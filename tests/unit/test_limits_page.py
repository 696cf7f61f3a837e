"""The page of limits has the bounds that the code has."""

from __future__ import annotations

import pathlib

import pytest

from celery_sentinel import log_limit, log_writer
from celery_sentinel.brokers import protocols, socket_reader
from celery_sentinel.brokers.amqp import frames as amqp_frames, management_api
from celery_sentinel.brokers.redis import events as redis_stream, queues as redis_queues
from celery_sentinel.config import schema, yaml_nodes
from celery_sentinel.events import broken_json, decoding, time_budget
from celery_sentinel.fleet import (
    held_events,
    label_turnover,
    labels,
    missed_events,
    queue_bindings,
    queue_purges,
    queues,
    task_attribution,
    task_copies,
    task_exceptions,
    task_order,
    task_records,
    task_replacements,
    worker,
    worker_missed_events,
    worker_restarts,
)
from celery_sentinel.poller import gone_workers
from celery_sentinel.remote_control import client as remote_control, replies
from celery_sentinel.web import limits, passwords
from tests.unit.test_promises import cells

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "limits.md"
MIB, KIB = 2**20, 2**10
_LIMITS, _WEB = schema.Limits(), limits.Limits()


def mib(size: int) -> str:
    """Return a size in bytes as the page writes it."""
    return f"{size // MIB} MiB" if size >= MIB else f"{size // KIB} KiB"


# The first cell of a row, and what its second begins with.
ROWS: dict[str, str] = {
    "task records": f"{schema.Tasks().max_records:,}",
    "length of a task id": (
        f"{task_records.MAX_ID_LENGTH} characters, {task_records.MAX_FOREIGN_ID_LENGTH}"
    ),
    "task names": f"{_LIMITS.names:,}",
    "queues": f"{_LIMITS.queues:,}",
    "workers": f"{_LIMITS.workers:,}",
    "queues of one worker": f"{worker.MOST_QUEUES:,}",
    "series: name and queue": f"{_LIMITS.series:,}",
    "exceptions of one series": f"{_LIMITS.exceptions}",
    "exceptions of all series": f"{_LIMITS.series:,}",
    "length of a label": f"{labels.MAX_LENGTH} characters",
    "queue learnt for a task name": f"{queues.LESSONS * _LIMITS.queues:,}",
    "starts not yet held against a heartbeat, of one process, of all": (
        f"{worker_missed_events.MAX_STARTS:,}, {worker_missed_events.MAX_ALL_STARTS:,}"
    ),
    "heartbeats of a process not yet judged": f"{worker_missed_events.MAX_POINTS}",
    "classes of exceptions already read": f"{task_exceptions._CACHE_SIZE:,}",  # noqa: SLF001 -- a bound
    "messages remembered behind Sentinel": f"{redis_stream.REPEATS_REMEMBERED:,}",
    "events held a moment for what names their task": (
        f"{held_events.MOST_EVENTS:,}, {held_events.MOST_EACH} of one task"
    ),
    "characters of a traceback that is held": f"{held_events.MOST_TEXT:,}",
    "ids that several tasks use at a time, as copies": f"{task_copies.MOST_SHARED:,}",
    "ids that replacements took over, waiting for events of the runs before": (
        f"{task_replacements.MOST_STORIES:,}, {task_replacements.MOST_EARLIER} runs of each"
    ),
    "names of tasks that replaced others": f"{task_replacements.MOST_ALIASES:,}",
    "attempts announced before the one before them has started": f"{task_order.MOST_ANNOUNCED:,}",
    "exchanges, bindings of each": f"{queue_bindings.MOST_EXCHANGES:,}, {queue_bindings.MOST_EACH}",
    "words of a binding key": f"{queue_bindings.MOST_WORDS}",
    "ways through exchanges": f"{task_attribution.MOST_ROUTES:,}",
    "queues known to have been empty": f"{queue_purges.MOST_PROOFS:,}",
    "processes of one node name": f"{worker_restarts.PIDS_REMEMBERED}",
    "task names of which no events come, in all accounts of missed events": (
        f"{missed_events.MAX_KEPT:,}"
    ),
    "names in a worker's count of what it ran": f"{missed_events.MAX_NAMES:,}",
    "heartbeats that wait for an answer to be judged": f"{worker_missed_events.MAX_WAITING:,}",
    "workers whose mailbox is looked for at once": f"{gone_workers.MOST}",
    "lines of the log that wait to be written": (
        f"{log_writer.MOST_LINES:,}, or {mib(log_writer.MOST_BYTES)}"
    ),
    "texts of libraries that are told apart, each logged once a minute": (
        f"{log_limit.MOST_REASONS:,}"
    ),
    "passwords remembered as right": f"{passwords._REMEMBERED}",  # noqa: SLF001 -- a bound
    "a message": mib(decoding.MAX_MESSAGE_BYTES),
    "events in a message": f"{broken_json.MAX_BATCH:,}",
    "a message after unpacking": mib(decoding.MAX_UNPACKED),
    "bytes read ahead of the decoder": mib(socket_reader.MOST_HELD),
    "a message still arriving, Redis": mib(redis_stream.LONGEST_REPLY),
    "time for broken and compressed messages": (
        f"{100 * time_budget.SHARE:.0f} % of the receiver's, {time_budget.BURST:.0f} s at once"
    ),
    "a frame of AMQP": mib(amqp_frames.MAX_FRAME),
    "bytes in one read": mib(protocols.RECEIVE_BYTES),
    "an answer of a worker": (
        f"{mib(replies.LONGEST)}; {mib(replies.LONGEST_LOOSE)} if it is no strict JSON"
    ),
    "answers of one round": mib(remote_control.ROOM),
    "tasks a worker says it runs": f"{replies.MOST_ACTIVE:,}",
    "bindings of one worker's queues": f"{replies.MOST_BINDINGS:,}",
    "characters of a routing key": f"{replies.LONGEST_KEY}",
    "a page of RabbitMQ's management API": mib(management_api.LONGEST_ANSWER),
    "queues it lists": f"{management_api.MOST_QUEUES:,}",
    "queue names in a look at Redis' bindings": f"{redis_queues.MOST_BOUND:,}",
    "a message at the tail of a queue, Redis": f"its last {mib(redis_queues.TAIL_BYTES)}",
    "the config file": f"{mib(yaml_nodes.MAX_BYTES)}, {yaml_nodes.MAX_DEPTH} levels",
    "connections": f"{_WEB.connections}",
    "scrapes being sent": f"{_WEB.readers}, or {mib(_WEB.body_room)} of them",
    "headers, body of a request": f"{mib(_WEB.header_bytes)}, {mib(_WEB.body_bytes)}",
}


@pytest.mark.parametrize("row", ROWS)
def test_a_bound_is_that_of_the_code(row: str) -> None:
    """What the page says is what happens."""
    assert cells(PAGE.read_text(), row)[0].startswith(ROWS[row])


def test_as_many_may_change_hands_as_the_page_says() -> None:
    """So many names an hour at least give up their places."""
    assert f"or {label_turnover.LEAST:,}, have changed hands" in " ".join(PAGE.read_text().split())
