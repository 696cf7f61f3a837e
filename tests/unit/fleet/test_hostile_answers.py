"""Strange, hostile and impossible answers do no harm and reach no label."""

from __future__ import annotations

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.replies import FACTS, HELD, LASTING
from tests.unit.fleet.stage import TASK, WORKER, Stage


def test_given_a_worker_over_the_cap_then_its_answer_is_no_others() -> None:
    """The nameless record of all workers over the limit takes over no answer."""
    limits = schema.Limits(workers=1)
    play = Stage(schema.Config(metrics=schema.Metrics(limits=limits)))
    play.beat("a@h")
    for name in ("b@h", "c@h"):
        play.answer(name, **FACTS, active=(poll_results.ActiveTask(task_id=name),))
    assert [worker.hostname for worker in play.fleet.workers] == ["a@h"]
    assert play.fleet.workers.overflowed.concurrency is None
    assert play.fleet.records.by_id == {}
    assert play.value(catalogue.LABEL_OVERFLOW, "hostname") == 2


@pytest.mark.parametrize("hostname", ["\0\ud800", "w" * 10_000, '"\n\\@h'])
def test_given_a_hostile_hostname_then_it_is_a_clean_label_and_one_worker(
    play: Stage, hostname: str
) -> None:
    """Beats and answers of one strange name are of one worker, whose label can be exposed."""
    play.beat(hostname)
    play.answer(hostname, **FACTS)
    (worker,) = play.fleet.workers
    assert worker.responding
    assert len(worker.hostname) <= 250
    assert worker.hostname.encode()


def test_given_an_answer_without_a_hostname_then_it_is_ignored(play: Stage) -> None:
    """A worker must be called something."""
    play.answer("", **FACTS)
    assert list(play.fleet.workers) == []


@pytest.mark.parametrize("value", [-1, -(2**70), 2**63, 2**200])
def test_given_numbers_that_cannot_be_then_what_was_known_stays(play: Stage, value: int) -> None:
    """Nobody has minus one slot, nor more than a counter holds."""
    play.beat()
    play.answer(**FACTS, reserved=1, scheduled=1)
    play.answer(
        concurrency=value,
        prefetch_count=value,
        max_rss_bytes=value,
        reserved=value,
        scheduled=value,
    )
    assert [play.value(metric, WORKER) for metric in LASTING] == [4, 16, 2**26]
    assert [play.children(metric) for metric in HELD] == [{}, {}]


def test_given_hostile_texts_then_labels_are_clean_and_bounded(play: Stage) -> None:
    """Pool, queues and task names are shown as valid text or not at all."""
    play.beat(sw_ver="5.5.0")
    task = poll_results.ActiveTask(task_id="1", name="\ud800" * 300, queue="q\0", started_at=-1.0)
    play.answer(pool="p\udcff" * 300, queues=("", "a\0b", "q" * 1000), active=(task,))
    for metric in catalogue.METRICS:
        if metric.group != "sentinel" and not metric.name.startswith("celery_result"):
            for labels in play.children(metric):
                assert all(len(label) <= 250 and label.encode() for label in labels), metric.name
    assert len(play.fleet.queues.by_name) == 2
    assert play.children(catalogue.TASK_OLDEST_STARTED) == {}


def test_given_an_id_that_cannot_be_a_key_then_it_is_counted_as_malformed(play: Stage) -> None:
    """A task that a worker runs under no id, or one without end, is not followed."""
    play.beat()
    play.answer(
        active=tuple(poll_results.ActiveTask(task_id=i, name=TASK) for i in ("", "x" * 300))
    )
    assert play.fleet.records.by_id == {}
    assert play.value(catalogue.EVENTS_REJECTED, "malformed") == 2
