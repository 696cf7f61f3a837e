"""A round waits for the right workers, ends in time, and knows whose silence it is."""

from __future__ import annotations

import gc
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import errors
from tests.integration.workers import conftest, impostor
from tests.servers import deadline, ports
from tests.soak import resources

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from celery_sentinel.remote_control import client as remote_control
    from tests import conftest as fixtures
    from tests.servers import redis, server

    MakeControl = Callable[[str], remote_control.Control]
    StartImpostor = Callable[[str, impostor.Answer], impostor.Impostor]


W1 = ["w1@fleet"]
MANY = 1000


def test_a_worker_nobody_expected_does_not_end_the_round(
    broker: server.Broker,
    make_control: MakeControl,
    start_worker: fixtures.StartWorker,
    start_impostor: StartImpostor,
) -> None:
    """A round waits for those that are known to be up, not for as many answers as they have."""
    slow = start_worker(broker.url)
    asking = make_control(broker.url)
    conftest.answered(asking, W1)
    quick = start_impostor(broker.url, lambda request: [impostor.honest(request, "w2@fleet")])
    slow.pause()

    def resume_afterwards() -> None:
        all_of_them = len(impostor.HONEST)
        deadline.wait_until(
            lambda: quick.answered == all_of_them, conftest.SECONDS, "w2 has answered"
        )
        slow.resume()

    resume = threading.Thread(target=resume_afterwards)
    resume.start()

    found = asking.ask(expected=W1, timeout=conftest.SECONDS)

    resume.join()
    assert {one.hostname for one in found} == {"w1@fleet", "w2@fleet"}


def test_without_anybody_expected_all_have_their_time(
    broker: server.Broker, make_control: MakeControl, start_worker: fixtures.StartWorker
) -> None:
    """The first round, when no worker is known yet, hears all of them out."""
    for name in ("w1", "w2"):
        start_worker(broker.url, name=name)

    asking = make_control(broker.url)

    def heard() -> set[tuple[str, Any, Any]]:
        found = asking.ask(expected=(), timeout=1)
        return {(one.hostname, one.queues, one.active) for one in found}

    wanted = {(f"{name}@fleet", ("celery",), ()) for name in ("w1", "w2")}
    deadline.wait_until(
        lambda: heard() == wanted, conftest.SECONDS, "a round hears both of them out"
    )


def test_a_thousand_workers_answer_in_one_round(
    broker: server.Broker, make_control: MakeControl, start_impostor: StartImpostor
) -> None:
    """All 5,000 answers of 1,000 workers are in the result of one round.

    To read them is less work than the two seconds that a round has by default.
    """
    names: list[str] = []

    def answer(request: Mapping[str, Any]) -> list[impostor.Reply]:
        return [impostor.honest(request, name) for name in names]

    start_impostor(broker.url, answer)
    asking = make_control(broker.url)
    asking.ask(expected=(), timeout=0.1)  # connects
    names += [f"w{number}@fleet" for number in range(MANY)]
    begun, worked = time.perf_counter(), time.thread_time()

    found = asking.ask(expected=names, timeout=conftest.SECONDS)

    took, worked = time.perf_counter() - begun, time.thread_time() - worked
    print(  # noqa: T201 -- a figure for the release notes
        f"{MANY} workers on {broker.name}: {took:.2f} s, of these {worked:.2f} s of our own work"
    )
    assert len(found) == MANY
    assert {(one.concurrency, one.queues, one.reserved, one.scheduled) for one in found} == {
        (2, ("celery",), 2, 0)
    }


def test_a_broker_that_dies_during_a_round_is_an_error_and_its_return_heals(
    broker: server.Broker, make_control: MakeControl, start_worker: fixtures.StartWorker
) -> None:
    """The round under way fails at once; when the broker is back, so are the answers."""
    worker = start_worker(broker.url)
    asking = make_control(broker.url)
    conftest.answered(asking, W1)
    worker.pause()
    kill = threading.Timer(0.5, broker.kill)
    kill.start()

    begun = time.monotonic()
    with pytest.raises(errors.BrokerError):
        asking.ask(expected=W1, timeout=2 * conftest.SECONDS)
    assert time.monotonic() - begun < conftest.SECONDS
    kill.join()
    with pytest.raises(errors.BrokerError):
        asking.ask(expected=W1, timeout=1)

    worker.resume()
    broker.start()

    def answers() -> bool:
        try:
            return len(asking.ask(expected=W1, timeout=5)) == 1
        except errors.BrokerError:
            return False

    deadline.wait_until(answers, 2 * conftest.SECONDS, "the worker is back and answers")


def test_a_broker_that_freezes_during_a_round_does_not_make_workers_silent(
    redis_server: redis.RedisServer, make_control: MakeControl, start_worker: fixtures.StartWorker
) -> None:
    """Nobody's answer can come when the broker carries none: that is the broker's failure."""
    start_worker(redis_server.url).pause()
    asking = make_control(redis_server.url)
    conftest.unanswered(asking, W1)
    freeze = threading.Timer(0.5, redis_server.pause)
    freeze.start()

    with pytest.raises(errors.BrokerError):
        asking.ask(expected=W1, timeout=8)  # ends long after it has frozen

    freeze.join()
    redis_server.resume()
    conftest.unanswered(asking, W1)


def test_a_break_leaves_no_descriptor_open(
    redis_server: redis.RedisServer, make_control: MakeControl
) -> None:
    """Kombu opens an epoll with each connection to Redis and never closes it; we do."""
    asking = make_control(redis_server.url)
    gc.collect()  # what other tests left open is not to be closed meanwhile
    before = resources.held(os.getpid()).descriptors
    for _ in range(3):
        asking.ask(expected=(), timeout=0.1)
        redis_server.kill()
        with pytest.raises(errors.BrokerError):
            asking.ask(expected=(), timeout=0.1)
        redis_server.start()

    assert resources.held(os.getpid()).descriptors["anon_inode"] <= before["anon_inode"]


def test_the_last_broker_of_a_list_is_asked_when_the_others_are_dead(
    broker: server.Broker, make_control: MakeControl, start_impostor: StartImpostor
) -> None:
    """Of three URLs two lead nowhere; whoever is at the third answers."""
    start_impostor(broker.url, lambda request: [impostor.honest(request, *W1)])
    scheme, _, rest = broker.url.partition("://")
    dead = [f"{scheme}://127.0.0.1:{ports.free_port()}/0" for _ in range(2)]
    asking = make_control(";".join([*dead, f"{scheme}://{rest}"]))

    answers = asking.ask(expected=W1, timeout=conftest.SECONDS)

    assert [one.hostname for one in answers] == W1
