"""A task name that is sent to two queues has no unknown queue where producers announce it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import producer, server

EACH = 300


def test_no_task_of_an_announced_name_has_an_unknown_queue(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Hundreds of tasks from several producers at once, by workers of both queues."""
    sentinel = watch(broker.url)
    for name in ("w1", "w2"):
        start_worker(broker.url, name=name, queues=("mail", "bulk"), pool="threads")
    senders = [
        threading.Thread(target=_send, args=(make_producer(broker.url), queue), name=queue)
        for queue in ("mail", "bulk")
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    want = {
        (outcome, queue): float(EACH)
        for outcome in ("sent", "received", "started", "succeeded")
        for queue in ("mail", "bulk")
    }
    seen: dict[tuple[str, str], float] = {}

    def over() -> bool:
        seen.clear()
        seen.update(_counted(sentinel.scrape()))
        return sum(seen.values()) == sum(want.values())

    deadline.wait_until(over, 90, "all tasks have ended")
    assert seen == want


def _send(sending: producer.Producer, queue: str) -> None:
    for number in range(EACH):
        sending.send("quick", number, queue=queue)


def _counted(samples: daemon.Samples) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for (metric, labels), value in samples.items():
        outcome = metric.removeprefix("celery_task_").removesuffix("_total")
        if outcome in {"sent", "received", "started", "succeeded"} and value:
            found[outcome, dict(labels)["queue_name"]] = value
    return found
