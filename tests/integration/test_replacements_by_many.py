"""A task that is replaced by several, or again and again, or amid a restart counts as it ran."""

from __future__ import annotations

import collections
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import producer, server, worker

OUTCOMES = ("received", "started", "succeeded", "failed", "retried")
Counts = dict[tuple[str, str], float]
LATE = ("started", "dispatch_late")


@pytest.mark.parametrize(("pool", "announced"), [("prefork", True), ("threads", False)])
def test_replacements_count_as_the_workers_say(  # noqa: PLR0917 -- fixtures
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    tmp_path: pathlib.Path,
    announced: bool,
    pool: str,
) -> None:
    """By a group, a chord, a chain, and by itself twice, on two workers."""
    sentinel = watch(broker.url)
    config = {"task_send_sent_event": announced, **_backend(broker, tmp_path)}
    working = [
        start_worker(broker.url, name=name, pool=pool, config=config) for name in ("w1", "w2")
    ]
    sending = make_producer(broker.url, sent_events=announced)
    for number in range(3):
        for how in ("group", "chord", "chain", "itself", "twice"):
            sending.send("dispatch", number, how)
    _until_settled(sentinel, working, ("started", "charge"), 21)
    assert not daemon.total(sentinel.scrape(), "celery_task_redelivered_total")


@pytest.mark.parametrize("killed", [False, True], ids=["warm shutdown", "SIGKILL"])
def test_a_replacement_amid_a_restart_counts_as_the_workers_say(  # noqa: PLR0917 -- fixtures
    broker: server.Broker,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    tmp_path: pathlib.Path,
    killed: bool,
) -> None:
    """What was killed runs again and is replaced then; what ends in peace is replaced once."""
    sentinel = watch(broker.url)
    config: dict[str, Any] = {"task_acks_late": True, "task_send_sent_event": True}
    if broker.url.startswith("redis"):
        config["broker_transport_options"] = {"visibility_timeout": 5}
    first = start_worker(broker.url, config=config)
    sending, end = make_producer(broker.url, config=config), tmp_path / "end"
    for number in range(2):
        sending.send("dispatch_late", number, str(end))
    deadline.wait_until(lambda: _counted(sentinel.scrape()).get(LATE) == 2, 30, "both run")

    if killed:
        first.kill()
        second = start_worker(broker.url, name="w2", config=config)
        end.touch()
        if "broker_transport_options" in config:
            deadline.wait_until(lambda: _restored(sending, second), 60, "Redis hands out again")
    else:
        first.process.send(signal.SIGTERM)
        end.touch()
        deadline.wait_until(lambda: not first.running, 60, "w1 has left")
        second = start_worker(broker.url, name="w2", config=config)

    _until_settled(sentinel, [first, second], ("succeeded", "charge"), 2)
    samples = sentinel.scrape()
    received = _counted(samples)
    for name in ("dispatch_late", "charge"):  # one that leaves hands back what it has received
        again = daemon.total(samples, "celery_task_redelivered_total", name=name) or 0
        assert again == received["received", name] - 2
    assert received["received", "dispatch_late"] == (4 if killed else 2)


def _restored(sending: producer.Producer, second: worker.CeleryWorker) -> bool:
    """Hand out what has not been acknowledged, as workers do each minute or two."""
    with sending.app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(interval=1)
    return second.truth.counts()[LATE] == 2


def _backend(broker: server.Broker, tmp_path: pathlib.Path) -> dict[str, Any]:
    """Return where chords keep what they wait for: RabbitMQ has no place for it."""
    if broker.url.startswith("redis"):
        return {"result_backend": broker.url}
    return {"result_backend": f"file://{tmp_path}"}


def _until_settled(
    sentinel: daemon.Daemon,
    working: list[worker.CeleryWorker],
    last: tuple[str, str],
    count: int,
) -> None:
    """Wait until so many are counted last, all as the workers did it, and nothing is in flight."""
    counted: Counts = {}
    truth: Counts = {}

    def equal() -> bool:
        samples = sentinel.scrape()
        counted.clear()
        truth.clear()
        counted.update(_counted(samples))
        truth.update(_truth(working))
        over = not daemon.total(samples, "celery_tasks_in_flight")
        return over and truth.get(last) == count and counted == truth

    try:
        deadline.wait_until(equal, 60, "the counts are those of the workers")
    except TimeoutError:
        assert counted == truth
        raise


def _truth(working: list[worker.CeleryWorker]) -> Counts:
    told: collections.Counter[tuple[str, str]] = collections.Counter()
    for one in working:
        told.update(one.truth.counts())
    return dict(told)


def _counted(samples: daemon.Samples) -> Counts:
    found: collections.Counter[tuple[str, str]] = collections.Counter()
    for (metric, labels), value in samples.items():
        outcome = metric.removeprefix("celery_task_").removesuffix("_total")
        if outcome in OUTCOMES and value:
            found[outcome, dict(labels)["name"]] += int(value)
    return dict(found)
