"""A round waits for the right workers, ends in time, and knows whose silence it is."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import errors
from tests.integration.workers import impostor
from tests.servers import deadline, ports
from tests.soak import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from celery_sentinel.brokers import control
    from tests import conftest
    from tests.servers import redis, server

    MakeControl = Callable[[str], control.Control]
    StartImpostor = Callable[[str, impostor.Answer], impostor.Impostor]


W1 = ["w1@fleet"]
MANY = 1000


def test_a_worker_nobody_expected_does_not_end_the_round(
    broker: server.Broker,
    make_control: MakeControl,
    start_worker: conftest.StartWorker,
    start_impostor: StartImpostor,
) -> None:
    """A round waits for those that are known to be up, not for as many answers as they have."""
    slow = start_worker(broker.url)
    start_impostor(broker.url, lambda request: [impostor.honest(request, "w2@fleet")])
    asking = make_control(broker.url)
    slow.pause()
    resume = threading.Timer(1.0, slow.resume)
    resume.start()

    found = asking.ask(expected=W1, timeout=10)

    resume.join()
    assert {one.hostname for one in found} == {"w1@fleet", "w2@fleet"}


def test_without_anybody_expected_all_have_their_time(
    broker: server.Broker, make_control: MakeControl, start_worker: conftest.StartWorker
) -> None:
    """The first round, when no worker is known yet, hears all of them out."""
    for name in ("w1", "w2"):
        start_worker(broker.url, name=name)

    found = make_control(broker.url).ask(expected=(), timeout=1)

    assert {one.hostname for one in found} == {"w1@fleet", "w2@fleet"}
    assert all(one.queues == ("celery",) and one.active == () for one in found)


def test_a_thousand_workers_answer_in_one_round(
    broker: server.Broker, make_control: MakeControl, start_impostor: StartImpostor
) -> None:
    """All 5,000 answers of 1,000 workers are in the result of one round of two seconds."""
    names = [f"w{number}@fleet" for number in range(MANY)]

    def answer(request: Mapping[str, Any]) -> list[impostor.Reply]:
        return [impostor.honest(request, name) for name in names]

    start_impostor(broker.url, answer)
    asking = make_control(broker.url)
    asking.ask(expected=(), timeout=0.1)  # connects
    begun, worked = time.perf_counter(), time.thread_time()

    found = asking.ask(expected=names, timeout=2)

    print(  # noqa: T201 -- a figure for the release notes
        f"{MANY} workers on {broker.name}: {time.perf_counter() - begun:.2f} s, "
        f"of these {time.thread_time() - worked:.2f} s of our own work"
    )
    assert len(found) == MANY
    assert {(one.concurrency, one.queues, one.reserved, one.scheduled) for one in found} == {
        (2, ("celery",), 2, 0)
    }


def test_a_broker_that_dies_during_a_round_is_an_error_and_its_return_heals(
    broker: server.Broker, make_control: MakeControl, start_worker: conftest.StartWorker
) -> None:
    """The round under way fails at once; when the broker is back, so are the answers."""
    worker = start_worker(broker.url)
    asking = make_control(broker.url)
    assert len(asking.ask(expected=W1, timeout=5)) == 1
    worker.pause()
    kill = threading.Timer(0.5, broker.kill)
    kill.start()

    begun = time.monotonic()
    with pytest.raises(errors.BrokerError):
        asking.ask(expected=W1, timeout=30)
    assert time.monotonic() - begun < 15
    kill.join()
    with pytest.raises(errors.BrokerError):
        asking.ask(expected=W1, timeout=1)

    worker.resume()
    broker.start()

    def answers() -> bool:
        try:
            return len(asking.ask(expected=W1, timeout=1)) == 1
        except errors.BrokerError:
            return False

    deadline.wait_until(answers, 60, "the worker is back and answers")


def test_a_broker_that_freezes_during_a_round_does_not_make_workers_silent(
    redis_server: redis.RedisServer, make_control: MakeControl, start_worker: conftest.StartWorker
) -> None:
    """Nobody's answer can come when the broker carries none: that is the broker's failure."""
    start_worker(redis_server.url).pause()
    asking = make_control(redis_server.url)
    assert asking.ask(expected=W1, timeout=0.2) == []
    freeze = threading.Timer(0.5, redis_server.pause)
    freeze.start()

    with pytest.raises(errors.BrokerError):
        asking.ask(expected=W1, timeout=2)

    freeze.join()
    redis_server.resume()
    assert asking.ask(expected=W1, timeout=0.2) == []


def test_a_break_leaves_no_descriptor_open(
    redis_server: redis.RedisServer, make_control: MakeControl
) -> None:
    """Kombu opens an epoll with each connection to Redis and never closes it; we do."""
    asking = make_control(redis_server.url)
    before = resources.held(os.getpid()).descriptors
    for _ in range(3):
        asking.ask(expected=(), timeout=0.1)
        redis_server.kill()
        with pytest.raises(errors.BrokerError):
            asking.ask(expected=(), timeout=0.1)
        redis_server.start()

    assert resources.held(os.getpid()).descriptors["anon_inode"] == before["anon_inode"]


def test_the_last_broker_of_a_list_is_asked_when_the_others_are_dead(
    broker: server.Broker, make_control: MakeControl, start_impostor: StartImpostor
) -> None:
    """Of three URLs two lead nowhere; whoever is at the third answers."""
    start_impostor(broker.url, lambda request: [impostor.honest(request, *W1)])
    scheme, _, rest = broker.url.partition("://")
    dead = [f"{scheme}://127.0.0.1:{ports.free_port()}/0" for _ in range(2)]
    asking = make_control(";".join([*dead, f"{scheme}://{rest}"]))

    answers = asking.ask(expected=W1, timeout=5.0)

    assert [one.hostname for one in answers] == W1
