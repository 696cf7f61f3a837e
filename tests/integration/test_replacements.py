"""Tasks that real workers replace count under their own names, on every broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server

OUTCOMES = ("received", "started", "succeeded", "failed", "redelivered", "retried")
CHARGES = {"received": 4, "started": 4, "succeeded": 3, "failed": 1}
Counts = dict[str, dict[str, float]]


def counted(samples: daemon.Samples) -> Counts:
    """Return the counts by name, over all queues; what is 0 is left out."""
    found: Counts = {}
    for (metric, labels), value in samples.items():
        outcome = metric.removeprefix("celery_task_").removesuffix("_total")
        if outcome in OUTCOMES and value:
            by_name = found.setdefault(dict(labels)["name"], {})
            by_name[outcome] = by_name.get(outcome, 0) + value
    return found


def run_times(samples: daemon.Samples) -> dict[str, float]:
    """Return how many run times were observed of each name."""
    found: dict[str, float] = {}
    for (metric, labels), value in samples.items():
        if metric == "celery_task_runtime_seconds_count" and value:
            name = dict(labels)["name"]
            found[name] = found.get(name, 0) + value
    return found


def wait_for(sentinel: daemon.Daemon, expected: Counts) -> daemon.Samples:
    """Wait until that is what is counted, and nothing is in flight."""
    seen: Counts = {}

    def equal() -> daemon.Samples | None:
        samples = sentinel.scrape()
        seen.clear()
        seen.update(counted(samples))
        over = not daemon.total(samples, "celery_tasks_in_flight")
        return samples if over and seen == expected else None

    try:
        return deadline.wait_until(equal, 30, f"counted is {expected}")
    except TimeoutError:
        assert seen == expected
        raise


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "solo"])
def test_a_replaced_task_and_its_replacement_count_apart(  # noqa: PLR0917 -- fixtures
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    announced: bool,
    pool: str,
) -> None:
    """The first ends without an event, the second is not delivered again; each has its run time."""
    sentinel = watch(broker.url)
    start_worker(broker.url, pool=pool, config={"task_send_sent_event": announced})
    sending = make_producer(broker.url, sent_events=announced)
    for number in range(4):
        sending.send("dispatch", number)
    samples = wait_for(sentinel, {"dispatch": {"received": 4, "started": 4}, "charge": CHARGES})
    assert run_times(samples) == {"charge": 4}


@pytest.mark.parametrize(
    ("how", "beside"),
    [
        ("chain", {"quick": {"received": 4, "started": 4, "succeeded": 4}}),
        ("retried", {}),
    ],
)
def test_a_replacement_in_another_queue_counts_where_it_ran(  # noqa: PLR0917 -- fixtures
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    how: str,
    beside: Counts,
) -> None:
    """A chain's end has the id as well; a retry before it is a retry of the first."""
    announced: dict[str, Any] = {"task_send_sent_event": True}
    sentinel = watch(broker.url)
    start_worker(broker.url, config=announced)
    start_worker(broker.url, name="w2", queues=("bank",), config=announced)
    sending = make_producer(broker.url)
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_responding") == 2,
        60,
        "both workers have told what they consume",
    )
    for number in range(4):
        sending.send("dispatch", number, how, "bank")
    first = {"received": 4.0, "started": 4.0}
    if how == "retried":
        first = {"received": 8, "started": 8, "retried": 4}
    samples = wait_for(sentinel, {"dispatch": first, "charge": CHARGES, **beside})
    assert daemon.total(samples, "celery_task_started_total", queue_name="bank") == 4
    assert daemon.total(samples, "celery_task_queue_wait_seconds_count", name="charge") == 4


def test_a_task_that_replaces_itself_is_not_redelivered(
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """First by itself, then by another task: three runs of one id."""
    sentinel = watch(broker.url)
    start_worker(broker.url)
    sending = make_producer(broker.url)
    for number in range(4):
        sending.send("dispatch", number, "itself")
    wait_for(sentinel, {"dispatch": {"received": 8, "started": 8}, "charge": CHARGES})
