"""What strangers have filled is not carried on for ever by restarts."""

from __future__ import annotations

from celery_sentinel.metrics import catalogue
from tests.unit.fleet import narrow
from tests.unit.fleet.stage import QUEUE, TASK, Stage
from tests.unit.state import restarts

MINUTE = 60.0


def filled() -> Stage:
    """Return a stage with room for three names and two workers, all of it taken."""
    play = narrow.limited(names=3, workers=2)
    for name in ("forged 1", "forged 2", "forged 3"):
        narrow.run(play, name)
    play.beat("w1@host")
    play.pass_time(5)
    return play


def test_the_time_before_a_restart_and_the_time_away_make_names_idle_too() -> None:
    """Silent for half an hour, away for half an hour: that is an hour."""
    play = filled()
    narrow.wait(play, 30 * MINUTE)
    new = restarts.restarted(play, narrow.config(names=3), away=30 * MINUTE + 10)
    new.pass_time(5)
    narrow.run(new, "real")
    assert narrow.succeeded(new) == {"forged 2": 1, "forged 3": 1, "real": 1}
    assert new.value(catalogue.LABEL_FORGOTTEN, "name") == 1
    again = restarts.restarted(new, narrow.config(names=3))
    assert again.value(catalogue.LABEL_FORGOTTEN, "name") == 1
    assert narrow.succeeded(again) == {"forged 2": 1, "forged 3": 1, "real": 1}


def test_a_restart_makes_nothing_idle_by_itself() -> None:
    """What was heard of a moment before stays."""
    new = restarts.restarted(filled(), narrow.config(names=3), away=MINUTE)
    new.pass_time(5)
    narrow.run(new, "real")
    assert narrow.succeeded(new)[narrow.OTHER] == 1


def test_what_has_made_room_does_not_return_with_the_record_of_a_task() -> None:
    """A record may outlive the place of its worker, and that of its series once it has ended."""
    play = narrow.limited(workers=1)
    play.received("open", hostname="dead@x")
    narrow.wait(play, 5 * MINUTE)
    play.beat("w1@host")
    new = restarts.restarted(play, narrow.config(workers=1))
    assert [worker.hostname for worker in new.fleet.workers] == ["w1@host"]
    assert new.value(catalogue.TASKS_IN_FLIGHT, TASK, "unknown", "received") == 1
    new.started("open", hostname="dead@x")
    new.ended(uuid="open", hostname="dead@x")
    assert new.value(catalogue.TASK_SUCCEEDED, TASK, "unknown") == 1


def test_an_ended_task_does_not_bring_its_series_back() -> None:
    """With a short time to live a name may go before the grace of its last task is over."""
    play = narrow.limited(names=1, ttl=MINUTE)
    narrow.run(play, "gone")
    narrow.wait(play, 2 * MINUTE)
    narrow.run(play, "new")
    assert narrow.succeeded(play) == {"new": 1}
    new = restarts.restarted(play, narrow.config(names=1, ttl=MINUTE))
    assert narrow.succeeded(new) == {"new": 1}
    assert new.value(catalogue.TASK_SENT, "gone", QUEUE) is None
