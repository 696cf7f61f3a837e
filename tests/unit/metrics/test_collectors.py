"""Collectors say what is known, say nothing of what is not, and hold nobody up for long."""

from __future__ import annotations

import threading

import pytest

from celery_sentinel.config import schema
from celery_sentinel.fleet import batches
from celery_sentinel.metrics import catalogue
from celery_sentinel.metrics.collectors import queues, sentinel, tasks, workers
from tests.servers import deadline
from tests.unit.fleet.stage import QUEUE, TASK, Stage
from tests.unit.metrics import everything

WHERE = (TASK, QUEUE)


def test_given_nothing_heard_then_only_what_is_known_shows() -> None:
    """An empty fleet has its own counters and no task, worker or queue."""
    play = Stage()
    collected = [*tasks.collect(play.fleet), *workers.collect(play.fleet)]
    shown = {family.metric.name: family.children for family in collected if family.children}
    assert shown == {"celery_worker_lost_total": [((), 0)]}


def test_given_only_sent_events_then_receiving_is_not_said_to_be_zero() -> None:
    """A counter shows where it is known: task-sent says nothing of what workers did."""
    play = Stage()
    play.sent()
    assert play.children(catalogue.TASK_SENT) == {WHERE: 1}
    assert play.children(catalogue.TASK_RECEIVED) == {}
    assert play.children(catalogue.TASK_SUCCEEDED) == {}


def test_given_only_worker_events_then_sending_is_not_said_to_be_zero() -> None:
    """Without task-sent events the sent counters are absent, the workers' start at 0."""
    play = Stage()
    play.received()
    assert play.children(catalogue.TASK_SENT) == {}
    assert play.children(catalogue.TASK_SUCCEEDED) == {(TASK, "unknown"): 0}
    states = {labels[2] for labels in play.children(catalogue.TASKS_IN_FLIGHT)}
    assert states == {"received", "started"}


@pytest.mark.parametrize("compat", [False, True])
def test_given_compat_then_and_only_then_the_aliases_are_there(
    compat: bool,
) -> None:
    """The de-facto exporter's histograms and gauges are on request."""
    play = everything.stage()
    shown = {
        family.metric
        for family in (
            *tasks.collect(play.fleet, compat=compat),
            *queues.collect(play.fleet, play.stream, compat=compat),
        )
    }
    aliases = {metric for metric in catalogue.METRICS if metric.compat}
    assert shown & aliases == (aliases if compat else set())


def test_given_hostname_labels_then_every_metric_by_hostname_has_one_more() -> None:
    """tasks.labels adds the worker to what can be told by worker, after the queue."""
    play = Stage(schema.Config(tasks=schema.Tasks(labels=("hostname",))))
    play.received()
    play.started()
    play.ended("failed")
    for family in tasks.collect(play.fleet):
        assert ("hostname" in family.labels) == family.metric.by_hostname
        for labels, _ in family.children:
            assert len(labels) == len(family.labels)
            assert not family.metric.by_hostname or labels[:3] == (TASK, "unknown", "w1@host")


def test_given_a_scrape_then_what_it_copied_does_not_change_under_it() -> None:
    """A histogram that was collected is a copy of that moment."""
    play = Stage()
    play.received(at=0)
    play.started(at=1)
    families = {family.metric: family for family in tasks.collect(play.fleet)}
    ((_, collected),) = families[catalogue.TASK_PREFETCH_WAIT].children
    play.started(at=2)
    assert not isinstance(collected, float | int)
    assert (sum(collected.counts), collected.sum) == (1, 1.0)


def test_given_a_queue_known_twice_then_each_source_is_a_child() -> None:
    """celery_queue_info says of each queue from where it is known."""
    play = Stage(schema.Config(queues=schema.Queues(watch=(QUEUE,))))
    play.sent()
    families = {f.metric: f for f in queues.collect(play.fleet, play.stream)}
    assert families[catalogue.QUEUE_INFO].children == [
        ((QUEUE, "config", "work"), 1),
        ((QUEUE, "event", "work"), 1),
    ]


def test_given_a_stream_then_broker_up_is_whether_it_stands() -> None:
    """The broker is up while we are subscribed."""
    play = Stage()
    seen = []
    for change in ("connected", "lost"):
        if change == "connected":
            play.stream.connected(0.0, 0.0)
        else:
            play.stream.lost(1.0, 1.0, reason="error", error="reset")
        families = {f.metric: f for f in queues.collect(play.fleet, play.stream)}
        seen.append(families[catalogue.BROKER_UP].children)
    assert seen == [[(("redis",), 1)], [(("redis",), 0)]]


def test_given_a_gap_then_its_reason_and_seconds_show() -> None:
    """Gaps are counted by reason from the start, with how long they took."""
    play = Stage()
    connection = play.stream
    connection.connected(0.0, 0.0)
    connection.lost(10.0, 10.0, reason="watchdog", error="silent")
    connection.connected(14.5, 14.5)
    families = {f.metric: dict(f.children) for f in sentinel.collect(play.fleet, connection)}
    gaps = families[catalogue.STREAM_GAPS]
    assert {reason for (reason,) in gaps} == {
        "error",
        "watchdog",
        "slow_consumer",
        "overflow",
        "restart",
    }
    assert gaps["watchdog",] == 1
    assert families[catalogue.STREAM_GAP_SECONDS] == {(): 4.5}


def test_given_portions_then_the_lock_is_held_while_one_is_looked_at_and_let_go_between() -> None:
    """The receiver gets its turn after each portion, and never within one."""
    play = Stage()
    things = list(range(batches.PORTION * 2 + 1))
    receiver = threading.Thread(target=play.beat)  # takes the lock once
    alive = {}
    for seen in batches.of(play.fleet, things):
        if seen == 10:
            receiver.start()
            # It waits at the turnstile, and cannot come to an end, as the lock is ours.
            turnstile = play.fleet.lock._turnstile  # noqa: SLF001 -- where its turn begins
            deadline.wait_until(turnstile.locked, 60, "the receiver waits")
        if seen >= 10:
            alive[seen] = receiver.is_alive() and not play.fleet.workers.by_hostname
    first = {seen for seen, waits in alive.items() if waits}
    assert first == set(range(10, batches.PORTION))
    receiver.join(60)


def test_given_a_table_that_grows_meanwhile_then_collecting_goes_on() -> None:
    """A scrape that lets the receiver in between sees the things that were there at its start."""
    play = Stage()
    for n in range(batches.PORTION + 10):
        play.received(str(n), name=f"task{n}")
    seen = []
    for one in batches.of(play.fleet, play.fleet.series):
        seen.append(one.name)
        if len(seen) == batches.PORTION:
            newcomer = threading.Thread(target=play.received, args=("new",), kwargs={"name": "new"})
            newcomer.start()
    newcomer.join(60)
    assert len(seen) == batches.PORTION + 10
    assert "new" not in seen
    assert len(play.fleet.series) == batches.PORTION + 11
