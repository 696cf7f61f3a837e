"""Of a worker that its work silences nothing is said until it is known to be gone."""

from __future__ import annotations

import pytest

from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import WORKER
from tests.unit.fleet.test_worker_stuck import stage


def test_given_a_solo_worker_when_it_is_silent_then_it_is_unheard_however_long() -> None:
    """Silence is what its work looks like, a day of it too: only its end is its end."""
    play = stage(pool="solo", concurrency=1)
    play.pass_time(11)
    assert play.children(catalogue.WORKER_UP) == {}
    play.pass_time(20 * 3600, step=30)
    assert play.children(catalogue.WORKER_UP) == {}
    assert play.value(catalogue.WORKER_LOST) == 0


def test_given_a_solo_worker_when_the_broker_knows_it_no_more_then_it_is_lost() -> None:
    """Its process is gone: it is down, and what it ran is lost."""
    play = stage(pool="solo", concurrency=1)
    play.started()
    play.pass_time(11)
    play.gone()
    play.tick()
    assert play.children(catalogue.WORKER_UP) == {(WORKER,): 0}
    assert play.value(catalogue.WORKER_LOST) == 1
    assert play.total(catalogue.TASK_LOST) == 1


@pytest.mark.parametrize(("lasting", "lost"), [(True, 1), (False, 0)])
def test_given_a_solo_worker_that_has_worked_for_a_minute_then_the_broker_decides(
    lasting: bool, lost: int
) -> None:
    """RabbitMQ disconnects who said nothing for so long; Redis does not."""
    play = stage(pool="solo", concurrency=1)
    play.pass_time(60)
    play.gone(lasting=lasting)
    play.tick()
    assert play.value(catalogue.WORKER_LOST) == lost


@pytest.mark.parametrize("lasting", [True, False])
def test_given_a_break_of_the_stream_then_a_solo_worker_at_work_may_be_disconnected(
    lasting: bool,
) -> None:
    """The broker was away for it as it was for us, and it comes back when its task has ended."""
    play = stage(pool="solo", concurrency=1)
    play.pass_time(5)
    play.fleet.resubscribed(play.now)
    play.pass_time(100)
    play.gone(lasting=lasting)
    play.tick()
    assert play.children(catalogue.WORKER_UP) == {}


def test_given_a_solo_worker_that_is_heard_again_then_it_is_up_and_its_task_not_lost() -> None:
    """After a long task its heartbeats go on as if nothing had been."""
    play = stage(pool="solo", concurrency=1)
    play.received()
    play.started()
    play.pass_time(600, step=2)
    play.ended()
    play.beat()
    assert play.children(catalogue.WORKER_UP) == {(WORKER,): 1}
    assert play.children(catalogue.TASK_LOST) == {}


@pytest.mark.parametrize("pool", ["prefork", "threads", "gevent", "eventlet"])
def test_given_another_pool_then_silence_is_judged_as_ever(pool: str) -> None:
    """Its work leaves it free to beat."""
    play = stage(pool=pool)
    play.pass_time(11)
    assert play.children(catalogue.WORKER_UP) == {(WORKER,): 0}


def test_given_no_pool_then_a_beat_amid_a_task_tells_that_it_can() -> None:
    """Who beats while it runs something is not silenced by its work."""
    play = stage(pool=None)
    play.pass_time(11)
    assert play.children(catalogue.WORKER_UP) == {}
    play.beat(active=1)
    play.pass_time(11)
    assert play.children(catalogue.WORKER_UP) == {(WORKER,): 0}


def test_given_a_restart_of_a_worker_then_its_pool_is_to_be_told_anew() -> None:
    """The pool is that of the process that answered, not of the name."""
    play = stage(pool="prefork")
    play.online(pid=8)
    play.pass_time(11)
    assert play.children(catalogue.WORKER_UP) == {}
