"""The traffic of the demo's shop shows all that the metrics can show."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from celery_sentinel.demo import shop, traffic, workers

FATES = {
    ("shop.orders.validate", "no_address"): "FAILURE",
    ("shop.orders.charge", "gateway_busy"): "SUCCESS",
    ("shop.orders.charge", "gateway_down"): "FAILURE",
    ("shop.orders.reserve_stock", "deadlock"): "FAILURE",
    ("shop.emails.confirm", "greylisted"): "SUCCESS",
    ("shop.reports.daily", "warehouse_slow"): "FAILURE",
    ("shop.catalogue.thumbnail", "not_a_picture"): "FAILURE",
}


def test_every_kind_comes_first_once() -> None:
    """Nobody waits long for the rare kinds: each is sent before any comes again."""
    first = itertools.islice(traffic.jobs(random.Random(1)), len(traffic.JOBS))

    assert tuple(first) == traffic.JOBS


def test_then_the_weights_rule() -> None:
    """In the long run a kind comes as often as its weight says."""
    count = 50_000
    after = itertools.islice(traffic.jobs(random.Random(1)), len(traffic.JOBS), count)
    seen = Counter(id(job) for job in after)
    whole = sum(job.weight for job in traffic.JOBS)

    for job in traffic.JOBS:
        assert seen[id(job)] / count == pytest.approx(job.weight / whole, rel=0.2, abs=0.002)


def test_the_day_has_a_peak_and_a_trough() -> None:
    """The rate swings around its mean and is the same a day later."""
    by_time = [traffic.rate(10, second) for second in range(int(traffic.DAY))]

    assert max(by_time) == pytest.approx(16)
    assert min(by_time) == pytest.approx(4)
    assert sum(by_time) / len(by_time) == pytest.approx(10)
    assert traffic.rate(10, 42) == pytest.approx(traffic.rate(10, 42 + traffic.DAY))


@pytest.mark.parametrize("job", traffic.JOBS)
def test_somebody_does_every_job(job: traffic.Job) -> None:
    """Each kind names a task of the shop, in a queue that a steady worker consumes."""
    route = shop.app.amqp.router.route({}, job.task)

    assert job.task in shop.app.tasks
    assert route["queue"].name in {name for each in workers.STEADY for name in each.queues}


@pytest.mark.parametrize(("task", "fate"), FATES)
def test_fates(task: str, fate: str) -> None:
    """A task ends as its fate says; those that are retried get there in the end."""
    assert shop.app.tasks[task].apply(kwargs={"fate": fate}).state == FATES[task, fate]


def test_no_fate_is_unknown() -> None:
    """The fates that the load generator sends are those of the test above."""
    assert {(job.task, job.fate) for job in traffic.JOBS if job.fate} == FATES.keys()
