"""Names that processes make for themselves are one name."""

from __future__ import annotations

import uuid

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.fleet import queue_names
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import TASK, Stage

ONE = "604d40c0-e3ed-467f-ac0c-9d5e2e1761d1"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (f"bcast.{ONE}", "bcast"),
        (f"bcast.{ONE.upper()}", "bcast"),
        (f"jobs-{ONE.replace('-', '')}", "jobs"),
        (f"shop.{ONE}.reply", "shop.*.reply"),
        (f"shop.{ONE}.{ONE}", "shop.*"),
        (ONE, queue_names.NAMELESS),
        ("amq.gen-JzTY20BRgKO-HjmUJj0wLg", "amq.gen"),
        ("celery@web-6f9c4d-x2l5q.dq", queue_names.DIRECT),
        ("mail.dq", "mail.dq"),
        ("celery", "celery"),
        ("shard-12", "shard-12"),
        ("a-queue-with-a-name-that-is-rather-long", "a-queue-with-a-name-that-is-rather-long"),
        ("f" * 40, "f" * 40),
        ("", ""),
    ],
)
def test_a_name_is_cut_to_what_is_no_processes_own(name: str, expected: str) -> None:
    """UUIDs, the broker's own names and Celery's direct queues, and nothing else."""
    assert queue_names.of(name) == expected


def test_given_names_without_end_then_there_is_one_queue(play: Stage) -> None:
    """Whoever names them: task-sent, answers, bindings of the broker."""
    for _ in range(50):
        name = f"bcast.{uuid.uuid4()}"
        play.sent(str(uuid.uuid4()), queue=name, exchange="bc", routing_key="")
        play.answer(queues=(name, "mail"))
        play.fleet.note_queues([(name, "binding")], play.wall)
    assert {queue.name for queue in play.fleet.queues} == {"bcast", "mail"}
    assert play.worker().queues == ("bcast", "mail")
    assert play.fleet.queues.folded == {"bcast"}
    assert play.children(catalogue.TASK_SENT) == {(TASK, "bcast"): 50}


def test_given_a_name_in_the_configuration_then_it_is_kept() -> None:
    """Who watches one of them by name gets it."""
    name = f"bcast.{ONE}"
    play = Stage(schema.Config(queues=schema.Queues(watch=(name,))))
    play.sent(queue=name, exchange="", routing_key=name)
    play.read({name: poll_results.QueueReading(length=3)})
    assert play.value(catalogue.QUEUE_LENGTH, name) == 3
    assert play.children(catalogue.TASK_SENT) == {(TASK, name): 1}
