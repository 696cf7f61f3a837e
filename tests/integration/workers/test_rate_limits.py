"""A worker that a rate limit holds back is not called stuck, and one that is stuck is found."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline, process

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server

SECONDS = 90.0
LIMITED = {"task_annotations": {"quick": {"rate_limit": "0.5/m"}}}


def test_who_is_held_back_by_a_rate_limit_is_not_wedged(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """By its settings or since it runs; beside one whose pool is frozen and has that limit too."""
    sentinel = ask_often(broker.url)
    few = {"worker_prefetch_multiplier": 1}
    start_worker(broker.url, queues=("first",), config=few | LIMITED)
    start_worker(broker.url, name="w2", pool="threads", queues=("second",), config=few)
    stuck = start_worker(broker.url, name="w3", queues=("third",), config=few | LIMITED)
    sending = make_producer(broker.url)
    deadline.wait_until(lambda: _answering(sentinel) == 3, SECONDS, "all have answered")
    assert sending.app.control.rate_limit(
        "quick", "1/h", destination=["w2@fleet"], reply=True, timeout=SECONDS, limit=1
    )

    for child in process.group_states(stuck.pid):
        if child != stuck.pid:
            os.kill(child, signal.SIGSTOP)
    for queue, name in (("first", "quick"), ("second", "quick"), ("third", "charge")):
        for number in range(10):
            sending.send(name, number, queue=queue)

    deadline.wait_until(lambda: _wedged(sentinel, "w3") == 1, SECONDS, "w3 is wedged")
    deadline.wait_until(lambda: _held(sentinel) == {"w1", "w2"}, SECONDS, "both are held back")
    with deadline.Running() as running:

        def long_enough() -> bool:
            assert (_wedged(sentinel, "w1"), _wedged(sentinel, "w2")) == (0, 0)
            return running.seconds > 6

        deadline.wait_until(long_enough, SECONDS, "they were watched for some polls")
    assert _wedged(sentinel, "w3") == 1


def _answering(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_worker_responding")


def _wedged(sentinel: daemon.Daemon, name: str) -> float | None:
    labels = {"hostname": f"{name}@fleet", "reason": "no_progress"}
    return daemon.total(sentinel.scrape(), "celery_worker_wedged", **labels)


def _held(sentinel: daemon.Daemon) -> set[str]:
    """Return the names of which the page says that a limit holds them back."""
    notes = sentinel.get("/api/v1/status").json()["notes"]
    return {note.split()[1].partition("@")[0] for note in notes if "a rate limit" in note}
