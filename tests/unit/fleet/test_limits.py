"""Strangers choose the names, so each kind of label has an end, and what is over is counted."""

from __future__ import annotations

import uuid as uuids

import pytest

from celery_sentinel.config import schema
from celery_sentinel.fleet import labels, worker_replies
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import QUEUE, TASK, Stage

OTHER = "__other__"


def limited(**limits: int) -> Stage:
    """Return a stage with small limits."""
    given = {"names": 100, "queues": 100, "workers": 100, **limits}
    return Stage(schema.Config(metrics=schema.Metrics(limits=schema.Limits(**given))))


def run(play: Stage, *, name: str = TASK, queue: str = QUEUE, how: str = "succeeded") -> None:
    """Play a whole task."""
    uuid = str(uuids.uuid4())
    play.sent(uuid, name=name, queue=queue)
    play.received(uuid, name=name)
    play.started(uuid)
    play.ended(how, uuid)


def test_given_more_names_than_allowed_then_the_rest_are_other_and_counted() -> None:
    """Names beyond the limit share one series, and known ones keep theirs."""
    play = limited(names=2)
    for name in "abcdbda":
        run(play, name=name)
    succeeded = {labels[0]: n for labels, n in play.children(catalogue.TASK_SUCCEEDED).items()}
    assert succeeded == {"a": 2, "b": 2, OTHER: 3}
    assert play.value(catalogue.LABEL_OVERFLOW, "name") == 3


def test_given_unknown_names_then_they_need_no_room() -> None:
    """``unknown`` is always there."""
    play = limited(names=1)
    play.ended(uuid="x")
    run(play, name="a")
    names = {labels[0] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert names == {"unknown", "a"}


def test_given_more_queues_than_allowed_then_the_rest_are_other_and_counted() -> None:
    """Queues beyond the limit share one label."""
    play = limited(queues=1)
    for queue in "abc":
        run(play, queue=queue)
    queues = {labels[1] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert queues == {"a", OTHER}
    assert play.value(catalogue.LABEL_OVERFLOW, "queue_name") > 0
    assert [queue.name for queue in play.fleet.queues] == ["a"]


def test_given_more_exceptions_than_allowed_then_the_rest_are_other_by_task() -> None:
    """Each task may fail in so many ways; the limit of one is not that of another."""
    play = limited(exceptions=2)
    for name in ("a", "b"):
        for exception in ("KeyError()", "ValueError()", "TypeError()", "KeyError()"):
            play.received(uuid := str(uuids.uuid4()), name=name)
            play.ended("failed", uuid, exception=exception)
    failed = {(k[0], k[2]): n for k, n in play.children(catalogue.TASK_FAILED).items()}
    assert failed == {
        **{(name, "KeyError"): 2 for name in "ab"},
        **{(name, "ValueError"): 1 for name in "ab"},
        **{(name, OTHER): 1 for name in "ab"},
    }
    assert play.value(catalogue.LABEL_OVERFLOW, "exception") == 2


def test_given_more_series_than_allowed_then_the_rest_share_one() -> None:
    """Names times queues are bounded too."""
    play = limited(series=3)
    for name in "ab":
        for queue in "xy":
            run(play, name=name, queue=queue)
    assert play.total(catalogue.TASK_SUCCEEDED) == 4
    assert play.value(catalogue.TASK_SUCCEEDED, OTHER, OTHER) == 1
    assert play.value(catalogue.LABEL_OVERFLOW, "series") > 0


def test_given_more_workers_than_allowed_then_their_tasks_count_and_they_do_not_show() -> None:
    """A worker beyond the limit has no series of its own, its tasks have."""
    play = limited(workers=1)
    play.beat("w1@a")
    play.beat("w2@a")
    play.received(hostname="w2@a")
    play.started(hostname="w2@a", at=5)
    assert list(play.children(catalogue.WORKER_UP)) == [("w1@a",)]
    assert play.value(catalogue.LABEL_OVERFLOW, "hostname") == 3
    assert play.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "started") == 1
    assert play.value(catalogue.TASK_OLDEST_STARTED, TASK, "unknown") == 1_700_000_005
    play.ended(hostname="w2@a")
    assert play.fleet.workers.overflowed.running == {}


def test_given_workers_that_said_goodbye_long_ago_then_their_places_are_free() -> None:
    """Autoscaling makes new hostnames all day: those that left in order do not count for long."""
    play = limited(workers=1)
    play.online("w1@a")
    play.offline("w1@a")
    play.pass_time(3700, step=5)
    play.beat("w2@b")
    assert list(play.children(catalogue.WORKER_UP)) == [("w2@b",)]


def test_given_an_empty_hostname_then_the_task_counts_and_no_worker_is_made(play: Stage) -> None:
    """An event that names no worker makes none."""
    play.received(hostname="")
    play.started(hostname="")
    play.ended(hostname="")
    assert play.value(catalogue.TASK_SUCCEEDED, TASK, "unknown") == 1
    assert list(play.fleet.workers) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud800b", "a\ufffdb"),
        ("x" * 250, "x" * 250),
        ("x" * 251, "x" * 249 + "…"),
    ],
)
def test_given_a_strange_name_then_its_label_is_clean_everywhere(given: str, expected: str) -> None:
    """Labels hold valid text of at most 250 characters, and one name is one label."""
    assert labels.clean(given) == expected
    play = Stage()
    run(play, name=given, queue=QUEUE)
    run(play, name=TASK, queue=given)
    play.received("second", name=TASK)
    received = play.children(catalogue.TASK_RECEIVED)
    assert received == {(expected, QUEUE): 1, (TASK, expected): 2}
    play.beat(given)
    assert (expected,) in play.children(catalogue.WORKER_UP)


def test_given_exceptions_of_many_tasks_then_all_of_them_together_have_a_limit() -> None:
    """A hundred for each name, in each queue, would be millions."""
    play = limited(series=3, exceptions=2)
    for name in ("a", "b", "c"):
        for exception in ("KeyError()", "ValueError()", "KeyError()"):
            play.received(uuid := str(uuids.uuid4()), name=name)
            play.ended("failed", uuid, exception=exception)
    failed = {(k[0], k[2]): n for k, n in play.children(catalogue.TASK_FAILED).items()}
    assert failed == {
        ("a", "KeyError"): 2,
        ("a", "ValueError"): 1,
        ("b", "KeyError"): 2,
        ("b", OTHER): 1,
        ("c", OTHER): 3,
    }
    assert play.value(catalogue.LABEL_OVERFLOW, "exception") == 4


def test_given_long_labels_then_a_series_takes_the_room_of_several() -> None:
    """The limit of series is one on the bytes of an exposition."""
    play = limited(series=6)
    for name in ("a" * 40, "b" * 200, "c" * 200, "d"):
        run(play, name=name)
    names = {labels[0] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert names == {"a" * 40, "b" * 200, "c" * 200, OTHER}


@pytest.mark.parametrize(
    ("uuid", "kept"),
    [("x" * 255, True), ("x" * 256, False), ("\U0001f600" * 64, True), ("é" * 65, False)],
)
def test_given_a_long_id_then_it_is_kept_only_up_to_a_length(uuid: str, kept: bool) -> None:
    """A character beyond ASCII makes each character of an id up to four bytes."""
    play = Stage()
    play.received(uuid)
    assert (uuid in play.fleet.records.by_id) is kept
    assert play.value(catalogue.EVENTS_REJECTED, "malformed") == (0 if kept else 1)


def test_given_workers_that_consume_queues_without_end_then_each_name_is_kept_once() -> None:
    """Thousands of workers may name thousands; what has no place is ``__other__``."""
    play = limited(queues=2)
    play.answer("w1@a", queues=tuple(f"q{n}" for n in range(worker_replies.MOST_QUEUES + 5)))
    play.answer("w2@a", queues=(f"q{1:d}", "new"))
    first, second = play.worker("w1@a").queues, play.worker("w2@a").queues
    assert first is not None
    assert second is not None
    assert first == ("q0", "q1", OTHER)
    assert second == ("q1", OTHER)
    assert second[0] is first[1]
