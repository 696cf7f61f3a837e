"""Answers that anybody may forge, in their thousands, change nothing for the workers that live."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.workers import impostor
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests import conftest
    from tests.servers import server

    StartImpostor = Callable[[str, impostor.Answer], impostor.Impostor]

QUEUES = 100_000
WORKERS, TASKS = 500, 20  # each of them claims to run so many
SECONDS = 120.0


def _reply(request: Mapping[str, Any], hostname: str, content: Any) -> impostor.Reply:
    body = json.dumps({hostname: content}).encode()
    return impostor.Reply(body, {"ticket": request["ticket"], "clock": 1})


def _queues(request: Mapping[str, Any]) -> Iterator[impostor.Reply]:
    if request["method"] == "active_queues":
        yield _reply(request, "w9@fleet", [{"name": f"forged{number}"} for number in range(QUEUES)])


def _tasks(request: Mapping[str, Any]) -> Iterator[impostor.Reply]:
    if request["method"] == "active":
        for number in range(WORKERS):
            running = [{"id": str(uuid.uuid4()), "name": "forged"} for _ in range(TASKS)]
            yield _reply(request, f"forged{number}@fleet", running)


@pytest.mark.parametrize("forge", [_queues, _tasks], ids=["queues", "tasks"])
def test_the_living_are_shown_as_before(
    *,
    forge: impostor.Answer,
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    start_impostor: StartImpostor,
    make_producer: conftest.MakeProducer,
) -> None:
    """Those known before, and a worker and a queue that are new, have all their series."""
    sentinel = ask_often(broker.url, polling={"workers": "4s"})
    start_worker(broker.url, name="w1")
    _wait_whole(sentinel, "w1", "celery")
    forger = start_impostor(broker.url, forge)
    deadline.wait_until(lambda: forger.answered >= 2 * len(impostor.HONEST), SECONDS, "forged")

    _wait_whole(sentinel, "w1", "celery")
    start_worker(broker.url, name="w2", queues=("fresh",))
    make_producer(broker.url).send("quick", queue="fresh")
    _wait_whole(sentinel, "w2", "fresh")
    _wait_whole(sentinel, "w1", "celery")
    up = {
        dict(labels)["hostname"]
        for (name, labels) in sentinel.scrape()
        if name == "celery_worker_up"
    }
    assert up == {"w1@fleet", "w2@fleet"}


def _wait_whole(sentinel: daemon.Daemon, name: str, queue: str) -> None:
    """Wait until a worker is up, answers, has its slots, and its queue is counted."""
    hostname = f"{name}@fleet"

    def whole() -> bool:
        samples = sentinel.scrape()
        parts = ("up", "responding", "concurrency")
        found = [
            daemon.total(samples, f"celery_worker_{part}", hostname=hostname) for part in parts
        ]
        length = daemon.total(samples, "celery_queue_length", queue_name=queue)
        return found == [1, 1, 2] and length is not None

    deadline.wait_until(whole, SECONDS, f"{hostname} and {queue} are shown as they are")
