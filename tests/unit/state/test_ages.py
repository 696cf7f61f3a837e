"""How old things are after a restart: we were deaf meanwhile, and clocks can be wrong."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.fleet.worker import State
from celery_sentinel.metrics import catalogue
from tests.unit.fleet import stage
from tests.unit.state import restarts

PATIENCE = 61.0
DAY = 86_400.0


def test_a_worker_that_stays_silent_is_lost_when_it_had_time_to_return() -> None:
    """It is unknown for as long as after any gap, then 0; what it ran is lost once it is gone."""
    play = stage.Stage()
    play.beat()
    play.answer(pool="prefork")
    play.started()
    new = restarts.restarted(play, away=3600)
    new.jump(0.1)
    new.fleet.resubscribed(new.now)
    new.pass_time(PATIENCE - 2)
    assert new.value(catalogue.WORKER_UP, stage.WORKER) is None
    new.pass_time(4)
    assert new.value(catalogue.WORKER_UP, stage.WORKER) == 0
    assert new.total(catalogue.WORKER_LOST) == 1
    assert new.total(catalogue.TASK_LOST) == 0
    new.gone()
    new.tick()
    assert new.total(catalogue.TASK_LOST) == 1


def test_while_the_broker_is_away_nobody_is_accused() -> None:
    """The patience begins when the stream stands, not when the daemon starts."""
    play = stage.Stage()
    play.beat()
    new = restarts.restarted(play, away=100)
    new.pass_time(300, listening=False)
    assert new.worker().state is State.UNHEARD
    assert new.total(catalogue.WORKER_LOST) == 0


def test_a_lost_worker_stays_lost_and_is_forgotten_in_time() -> None:
    """It shows 0 at once, is not lost again, and the time away counts towards forgetting it."""
    play = stage.Stage()
    play.beat()
    play.answer(pool="prefork")
    play.pass_time(20)
    new = restarts.restarted(play, away=DAY - 60)
    assert new.value(catalogue.WORKER_UP, stage.WORKER) == 0
    new.tick()
    assert new.total(catalogue.WORKER_LOST) == 1
    new.pass_time(60)
    assert list(new.fleet.workers) == []


def test_a_worker_that_said_goodbye_stays_gone() -> None:
    """Its goodbye is remembered, so a stale event does not bring it back."""
    play = stage.Stage()
    play.beat(at=0)
    play.offline(at=10)
    new = restarts.restarted(play, away=5)
    assert new.worker().state is State.OFFLINE
    new.beat(at=5)
    assert new.worker().state is State.OFFLINE


@pytest.mark.parametrize("away", [0.0, 3600.0, DAY - 1])
def test_an_open_task_is_no_older_for_our_absence(away: float) -> None:
    """Nothing is lost for having outlasted a time in which we could not hear."""
    play = stage.Stage()
    play.received()
    play.jump(DAY - 100)
    new = restarts.restarted(play, away=away)
    new.tick()
    new.tick()
    assert new.total(catalogue.TASK_LOST) == 0
    new.pass_time(120, step=30)
    assert new.total(catalogue.TASK_LOST) == 1


def test_open_tasks_are_given_up_after_an_absence_longer_than_their_life() -> None:
    """They are evicted and not called lost: nobody knows."""
    play = stage.Stage()
    play.received()
    new = restarts.restarted(play, away=DAY + 1)
    assert new.fleet.records.by_id == {}
    assert new.total(catalogue.TASK_LOST) == 0
    assert new.value(catalogue.TRACKER_EVICTIONS, "ttl") == 1
    assert new.value(catalogue.TASKS_IN_FLIGHT, stage.TASK, "unknown", "received") == 0


def test_an_ended_task_ages_while_we_are_away() -> None:
    """It is kept for its time of grace only, absence included."""
    play = stage.Stage()
    play.received()
    play.ended()
    assert list(restarts.restarted(play, away=100).fleet.records.by_id) == [stage.ID]
    assert list(restarts.restarted(play, away=301).fleet.records.by_id) == []


def test_a_clock_set_back_makes_nothing_younger_than_now() -> None:
    """The absence is then taken as 0; no time lies ahead, the gap has no negative length."""
    play = stage.Stage()
    play.stream.connected(play.now, play.wall)
    play.beat()
    play.started()
    new = restarts.restarted(play, away=-5000)
    assert new.worker().last_heard <= new.now
    assert new.record().seen <= new.now
    assert new.stream.connected(new.now + 2, new.wall) == pytest.approx(2)
    new.ended()
    assert new.value(catalogue.TASK_SUCCEEDED, "unknown", "unknown") == 1


def test_the_absence_is_a_gap_until_the_stream_stands() -> None:
    """It counts once, under its own reason, with all of its length."""
    play = stage.Stage()
    play.stream.connected(play.now, play.wall)
    new = restarts.restarted(play, away=20)
    assert new.value(catalogue.STREAM_GAPS, "restart") == 1
    assert new.stream.connected(new.now + 3, new.wall) == pytest.approx(23)
    assert new.stream.gap_seconds(new.now + 99) == pytest.approx(23)


def test_a_gap_that_was_under_way_goes_on() -> None:
    """A daemon restarted while the broker is away counts one gap, not two."""
    play = stage.Stage()
    play.stream.connected(play.now, play.wall)
    play.stream.lost(play.now, play.wall, reason="error", error="gone")
    play.jump(10)
    new = restarts.restarted(play, away=20)
    assert new.value(catalogue.STREAM_GAPS, "restart") == 0
    assert new.value(catalogue.STREAM_GAPS, "error") == 1
    assert new.stream.connected(new.now + 3, new.wall) == pytest.approx(33)


@pytest.mark.parametrize("kept", [True, False])
def test_with_a_durable_queue_the_subscription_decides(kept: bool) -> None:
    """What the queue kept is a resumption and no gap; what it lost is a gap of the restart."""
    play = stage.Stage()
    play.stream.connected(play.now, play.wall)
    new = restarts.restarted(play, away=20, kept=True)
    again = restarts.restarted(new, away=5, kept=True)
    assert again.stream.connected(again.now, again.wall, kept=kept) == pytest.approx(25)
    assert again.stream.gap_seconds(again.now) == pytest.approx(0 if kept else 25)
    assert again.stream.gaps["restart"] == (not kept)
    assert again.stream.resumptions == kept
    assert restarts.restarted(again).stream.resumptions == kept


def test_a_broker_never_reached_is_still_no_gap() -> None:
    """Without a subscription there was nothing to break."""
    new = restarts.restarted(stage.Stage(), away=20)
    assert new.stream.connected(new.now, new.wall) is None
    assert new.stream.gap_seconds(new.now) == 0


def test_a_lower_limit_keeps_the_newest_tasks() -> None:
    """With tasks.max_records lowered the oldest leave as they would for want of room."""
    play = stage.Stage()
    for number in range(10):
        play.received(str(number))
    config = schema.Config(tasks=schema.Tasks(max_records=4))
    new = restarts.restarted(play, config)
    assert list(new.fleet.records.by_id) == ["6", "7", "8", "9"]
    assert new.value(catalogue.TRACKER_EVICTIONS, "capacity") == 6
    assert new.value(catalogue.TASKS_IN_FLIGHT, stage.TASK, "unknown", "received") == 4


def test_limits_and_buckets_configured_anew_are_kept_to() -> None:
    """What has no place now is left out, its open tasks count under __other__; no bound changes."""
    play = stage.Stage()
    for name in ("a", "b"):
        play.sent(name, name=name, queue="q")
        play.received(name, name=name)
        play.started(name, at=1)
        play.ended(uuid=name, runtime=0.5)
        play.sent(f"open-{name}", name=name, queue="q")
    config = schema.Config(
        metrics=schema.Metrics(limits=schema.Limits(names=1)),
        tasks=schema.Tasks(buckets=(schema.TaskBuckets(runtime=(1.0,)),)),
    )
    new = restarts.restarted(play, config)
    assert new.children(catalogue.TASK_SUCCEEDED) == {("a", "q"): 1}
    assert new.children(catalogue.TASK_RUNTIME) == {}
    assert new.distribution(catalogue.TASK_QUEUE_WAIT, "a", "q")[0] == 1
    assert new.value(catalogue.TASKS_IN_FLIGHT, "__other__", "q", "sent") == 1


def test_labels_configured_anew_begin_at_nothing() -> None:
    """With tasks.labels changed the old series have no place; open tasks move to the new ones."""
    play = stage.Stage()
    play.sent()
    play.received()
    config = schema.Config(tasks=schema.Tasks(labels=("hostname",)))
    new = restarts.restarted(play, config)
    assert new.children(catalogue.TASK_RECEIVED) == {}
    new.started()
    new.ended()
    assert new.total(catalogue.TASK_SUCCEEDED) == 1
