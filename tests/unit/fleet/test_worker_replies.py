"""What a worker answers is kept while it is silent, and silence alone is never a 0."""

from __future__ import annotations

import pytest

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.replies import FACTS, HELD, LASTING
from tests.unit.fleet.stage import WORKER, Stage

INTERVAL = 30.0


def responding(play: Stage, hostname: str = WORKER) -> int | None:
    """Return what celery_worker_responding says; None where it is absent."""
    found = play.value(catalogue.WORKER_RESPONDING, hostname)
    return None if found is None else int(found)


def live(play: Stage, seconds: float, *hostnames: str) -> None:
    """Let time pass in which these workers beat."""
    for _ in range(int(seconds / 2)):
        for hostname in hostnames or (WORKER,):
            play.beat(hostname)
        play.pass_time(2)


def test_given_an_answer_then_all_that_was_said_shows(play: Stage) -> None:
    """Slots, prefetch count, memory, pool and what the worker holds."""
    play.beat(sw_ver="5.5.0", sw_sys="Linux")
    play.answer(**FACTS, reserved=3, scheduled=0)
    assert responding(play) == 1
    assert [play.value(metric, WORKER) for metric in (*LASTING, *HELD)] == [4, 16, 2**26, 3, 0]
    assert play.children(catalogue.WORKER_INFO) == {(WORKER, "5.5.0", "Linux", "prefork"): 1}
    assert play.children(catalogue.QUEUE_INFO) == {
        ("mail", "inspect", "work"): 1,
        ("sms", "inspect", "work"): 1,
    }


def test_given_no_poll_then_responding_is_absent(play: Stage) -> None:
    """Before anybody was asked, nobody has failed to answer."""
    play.beat()
    assert responding(play) is None
    assert play.children(catalogue.WORKER_WEDGED) == {}


def test_given_a_worker_that_answered_when_it_does_not_then_it_is_0(play: Stage) -> None:
    """One that beats and is silent when asked is told from one that answers."""
    play.beat("a@h")
    play.beat("b@h")
    play.answers([poll_results.WorkerReading(hostname=name) for name in ("a@h", "b@h")])
    play.answer("a@h")
    assert play.children(catalogue.WORKER_RESPONDING) == {("a@h",): 1, ("b@h",): 0}
    play.answers([poll_results.WorkerReading(hostname=name) for name in ("a@h", "b@h")])
    assert play.children(catalogue.WORKER_RESPONDING) == {("a@h",): 1, ("b@h",): 1}


def test_given_a_worker_that_never_answered_then_the_first_silence_is_forgiven(
    play: Stage,
) -> None:
    """The first question may go out before a new worker listens; the second has no excuse."""
    play.beat()
    play.answer(None)
    assert responding(play) is None
    play.answer(None)
    assert responding(play) == 0


def test_given_a_silent_worker_then_what_it_is_never_turns_to_0(play: Stage) -> None:
    """However long it does not answer, pool, slots and queues are those it told."""
    play.beat()
    play.answer(**FACTS, reserved=3, scheduled=1)
    for _ in range(20):
        live(play, INTERVAL)
        play.answer(None)
    assert responding(play) == 0
    assert [play.value(metric, WORKER) for metric in LASTING] == [4, 16, 2**26]
    assert play.value(catalogue.QUEUE_SLOTS, "mail") == 4


def test_given_a_silent_worker_then_what_it_holds_is_dropped_after_three_intervals(
    play: Stage,
) -> None:
    """What it held a while ago says nothing of now: absent, not 0."""
    play.beat()
    play.answer(**FACTS, reserved=3, scheduled=1)
    live(play, 3 * INTERVAL)
    assert [play.value(metric, WORKER) for metric in HELD] == [3, 1]
    live(play, 4)
    assert [play.children(metric) for metric in HELD] == [{}, {}]


def test_given_polls_that_fail_then_after_three_intervals_nobody_is_judged(play: Stage) -> None:
    """When it is we who cannot ask, nothing is known of who would answer."""
    for name in ("a@h", "b@h", "c@h"):
        play.beat(name)
    both = [poll_results.WorkerReading(hostname=name, **FACTS) for name in ("a@h", "b@h")]
    play.answers(both)
    play.answers(both[:1])
    live(play, 3 * INTERVAL, "a@h", "b@h", "c@h")
    assert play.children(catalogue.WORKER_RESPONDING) == {("a@h",): 1, ("b@h",): 0, ("c@h",): 0}
    live(play, 4, "a@h", "b@h", "c@h")
    assert play.children(catalogue.WORKER_RESPONDING) == {}
    assert play.children(catalogue.QUEUE_WORKERS) == {}
    assert play.children(catalogue.WORKER_CONCURRENCY) == {("a@h",): 4, ("b@h",): 4}


def test_given_an_answer_that_leaves_questions_open_then_what_was_known_stays(
    play: Stage,
) -> None:
    """An answer to some questions does not undo those to others; what it holds is unknown."""
    play.beat()
    play.answer(**FACTS, reserved=3, scheduled=1)
    play.answer()
    assert [play.value(metric, WORKER) for metric in LASTING] == [4, 16, 2**26]
    assert play.worker().queues == ("mail", "sms")
    assert [play.children(metric) for metric in HELD] == [{}, {}]


def test_given_another_process_then_what_the_old_one_answered_is_cleared(play: Stage) -> None:
    """A new pid may have another pool, other slots, other queues."""
    play.beat(pid=7, sw_ver="5.5.0", sw_sys="Linux")
    play.answer(**FACTS, reserved=3)
    play.online(pid=8)
    assert responding(play) is None
    assert not any(play.children(metric) for metric in (*LASTING, *HELD))
    assert play.worker().queues is None


def test_given_the_late_answer_of_a_process_that_is_gone_then_it_is_not_the_new_ones(
    play: Stage,
) -> None:
    """A process may answer, die and be replaced before the round is over."""
    play.beat(pid=7)
    play.online(pid=8)
    play.answer(**FACTS, active=(poll_results.ActiveTask(task_id="1", name="a"),))
    assert responding(play) is None
    assert not any(play.children(metric) for metric in LASTING)
    assert play.worker().running == {}


def test_given_two_workers_with_one_name_then_both_their_answers_are_one_sign(
    play: Stage,
) -> None:
    """Two answers to one question are two workers, whichever pid was heard last."""
    play.beat(pid=9)
    play.answer(**FACTS, answers=2)
    assert play.worker().duplicate
    assert responding(play) == 1
    play.answer(**FACTS)
    assert play.worker().duplicate


def test_given_a_worker_that_never_beat_then_it_has_facts_but_no_up() -> None:
    """--without-heartbeat: whether it is up cannot be known, what it is can; nor is it dropped."""
    play = Stage(schema.Config(workers=schema.Workers(forget_after=schema.Seconds(600))))
    for _ in range(40):
        play.answer(**FACTS)
        play.pass_time(INTERVAL, step=5)
    assert play.children(catalogue.WORKER_UP) == {}
    assert play.children(catalogue.WORKER_RESPONDING) == {}
    assert play.value(catalogue.WORKER_CONCURRENCY, WORKER) == 4
    assert play.value(catalogue.QUEUE_WORKERS, "mail") == 1
    assert play.value(catalogue.WORKER_LOST) == 0
    play.pass_time(601, step=5)
    assert list(play.fleet.workers) == []


def test_given_a_round_among_some_then_the_others_are_not_blamed(play: Stage) -> None:
    """Who was not asked did not fail to answer; neither does such a round make a poll valid."""
    for name in ("a@h", "b@h"):
        play.beat(name)
        play.answer(name, among=[name], queues=("mail",))
    play.answer(None, among=["b@h"])
    assert play.children(catalogue.WORKER_RESPONDING) == {("a@h",): 1, ("b@h",): 0}
    assert play.children(catalogue.QUEUE_WORKERS) == {}


@pytest.mark.parametrize("how", ["lost", "unheard", "offline"])
def test_given_a_worker_that_is_not_up_then_its_silence_is_not_blamed(
    play: Stage, how: str
) -> None:
    """Of a worker that is dead, away or unheard it is not said that it does not answer."""
    play.beat()
    play.answer(**FACTS)
    if how == "offline":
        play.jump(1)
        play.offline()
    else:
        play.pass_time(15, listening=how == "lost")
    for _ in range(3):
        play.answer(None)
    assert play.children(catalogue.WORKER_RESPONDING) == {}
    play.jump(1)
    play.beat()
    assert responding(play) != 0


@pytest.mark.parametrize("listening", [True, False], ids=["lost", "unheard"])
def test_given_a_silence_before_it_was_gone_then_it_is_not_held_against_the_worker(
    play: Stage, listening: bool
) -> None:
    """Two unanswered polls with an absence between them are not two in a row."""
    play.beat()
    play.answer(**FACTS)
    play.answer(None)
    play.pass_time(15, listening=listening)
    play.beat()
    assert responding(play) is None
    play.answer(None)
    play.tick()
    assert play.value(catalogue.WORKER_WEDGED, WORKER, "not_answering") == 0


def test_given_a_worker_of_one_queue_then_its_tasks_are_of_that_queue(play: Stage) -> None:
    """The answer to active_queues tells the queue where no task-sent did."""
    play.beat()
    play.answer(queues=("mail",))
    play.received()
    assert play.record().series.queue_name == "mail"
