"""Nobody is called dead for working, and nothing lost that may still run; the dead are found."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server, worker

SECONDS = 90.0
GAPS = "celery_sentinel_stream_gaps_total"


def test_a_solo_worker_that_begins_with_a_long_task_is_not_called_dead(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """It has said hello and nothing since: absent, no loss, no gap, until it beats."""
    sentinel = ask_often(broker.url)
    end = tmp_path / "end"
    make_producer(broker.url).send("patient", str(end))
    start_worker(broker.url, pool="solo", concurrency=1)
    deadline.wait_until(lambda: "worker" in _states(sentinel), SECONDS, "its hello was heard")

    seen = _watch(sentinel, 80.0)

    assert {one["up"] for one in seen} <= {None, 1.0}
    assert seen[-1] == {"up": None, "lost": 0.0, "tasks": None, "gaps": 0.0}
    end.touch()
    deadline.wait_until(lambda: _facts(sentinel)["up"] == 1, SECONDS, "w1 is up again")
    assert _facts(sentinel)["lost"] == 0


def test_a_killed_solo_worker_is_found_amid_its_task(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Its silence is no proof, but the broker knows it no more."""
    sentinel = ask_often(broker.url)
    working = start_worker(broker.url, pool="solo", concurrency=1)
    _until_pool_is_known(sentinel, "solo")
    make_producer(broker.url).send("slow", 600.0)
    deadline.wait_until(lambda: _facts(sentinel)["up"] is None, SECONDS, "w1 fell silent")

    working.kill()

    deadline.wait_until(lambda: _facts(sentinel)["up"] == 0, SECONDS, "w1 is down")
    assert _facts(sentinel)["lost"] == 1


def test_a_frozen_worker_loses_no_task(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    tmp_path: pathlib.Path,
) -> None:
    """It is silent, so it is down; what it runs goes on when it goes on."""
    sentinel = ask_often(broker.url)
    frozen = start_worker(broker.url)
    _until_pool_is_known(sentinel, "prefork")
    end = tmp_path / "end"
    for _ in range(2):
        make_producer(broker.url).send("patient", str(end))
    deadline.wait_until(lambda: _started(sentinel) == 2, SECONDS, "both run")

    os.kill(frozen.pid, signal.SIGSTOP)
    deadline.wait_until(lambda: _facts(sentinel)["up"] == 0, SECONDS, "w1 is down")
    seen = _watch(sentinel, 12.0)
    os.kill(frozen.pid, signal.SIGCONT)
    end.touch()

    deadline.wait_until(lambda: _succeeded(sentinel) == 2, SECONDS, "both have ended")
    assert all(one["tasks"] is None for one in seen)
    assert _facts(sentinel)["tasks"] is None
    deadline.wait_until(lambda: _facts(sentinel)["up"] == 1, SECONDS, "w1 is up")
    assert _facts(sentinel)["gaps"] == 0


def test_what_a_killed_worker_ran_is_lost_beside_one_that_goes_on(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Its process is gone, which the broker knows."""
    sentinel = ask_often(broker.url)
    killed = start_worker(broker.url, queues=("other",))
    start_worker(broker.url, name="w2")
    _until_pool_is_known(sentinel, "prefork", 2)
    sending = make_producer(broker.url)
    for _ in range(2):
        sending.send("slow", 600.0, queue="other")
    deadline.wait_until(lambda: _started(sentinel) == 2, SECONDS, "both run")

    killed.kill()

    deadline.wait_until(lambda: _facts(sentinel)["tasks"] == 2, SECONDS, "both are lost")


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_worker_that_consumes_nothing_any_more_is_wedged(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    pool: worker.Pool,
) -> None:
    """One of two has left its only queue: it beats, answers, and is named on the page."""
    sentinel = ask_often(broker.url)
    for name in ("w1", "w2"):
        start_worker(broker.url, name=name, pool=pool, concurrency=1)
    _until_pool_is_known(sentinel, pool, 2)
    control = make_producer(broker.url).app.control

    def left() -> bool:
        return bool(control.cancel_consumer("celery", destination=["w1@fleet"], reply=True))

    deadline.wait_until(left, SECONDS, "w1 has left its queue")
    deadline.wait_until(lambda: _not_consuming(sentinel, "w1") == 1, SECONDS, "w1 is wedged")
    assert _not_consuming(sentinel, "w2") == 0
    notes = sentinel.get("/api/v1/status").json()["notes"]
    assert any("w1@fleet consumes no queue any more" in note for note in notes)

    control.add_consumer("celery", destination=["w1@fleet"], reply=True)
    deadline.wait_until(lambda: _not_consuming(sentinel, "w1") == 0, SECONDS, "w1 is well")


def _watch(sentinel: daemon.Daemon, seconds: float) -> list[dict[str, float | None]]:
    """Look again and again for so many seconds."""
    seen: list[dict[str, float | None]] = []
    with deadline.Running() as running:

        def long_enough() -> bool:
            seen.append(_facts(sentinel))
            return running.seconds > seconds

        deadline.wait_until(long_enough, 60 + 10 * seconds, "it was watched long enough")
    return seen


def _facts(sentinel: daemon.Daemon) -> dict[str, float | None]:
    samples = sentinel.scrape()
    return {
        "up": daemon.total(samples, "celery_worker_up", hostname="w1@fleet"),
        "lost": daemon.total(samples, "celery_worker_lost_total"),
        "tasks": daemon.total(samples, "celery_task_lost_total"),
        "gaps": daemon.total(samples, GAPS),
    }


def _states(sentinel: daemon.Daemon) -> dict[str, Any]:
    found = sentinel.get("/api/v1/status").json()["workers"]
    return {"worker": found[0]} if found else {}


def _started(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_task_started_total")


def _succeeded(sentinel: daemon.Daemon) -> float | None:
    return daemon.total(sentinel.scrape(), "celery_task_succeeded_total")


def _not_consuming(sentinel: daemon.Daemon, name: str) -> float | None:
    labels = {"hostname": f"{name}@fleet", "reason": "not_consuming"}
    return daemon.total(sentinel.scrape(), "celery_worker_wedged", **labels)


def _until_pool_is_known(sentinel: daemon.Daemon, pool: str, count: int = 1) -> None:
    deadline.wait_until(
        lambda: daemon.total(sentinel.scrape(), "celery_worker_info", pool=pool) == count,
        SECONDS,
        "their pools are known",
    )
