"""A name, a queue, a series or an exception unheard of for long gives its place to a new one."""

from __future__ import annotations

from celery_sentinel import poll_results
from celery_sentinel.config import schema, thresholds
from celery_sentinel.fleet import label_turnover
from celery_sentinel.metrics import catalogue
from tests.unit.fleet import narrow
from tests.unit.fleet.stage import QUEUE, TASK, Stage


def test_given_names_unheard_of_for_an_hour_then_the_longest_silent_makes_room() -> None:
    """The places of names that strangers have filled are free for a task that is real."""
    play = narrow.limited(names=3)
    for name in ("forged 1", "forged 2", "forged 3"):
        narrow.run(play, name)
        play.pass_time(5)
    narrow.run(play, "real")
    assert narrow.succeeded(play) == {"forged 1": 1, "forged 2": 1, "forged 3": 1, narrow.OTHER: 1}
    narrow.wait(play)
    narrow.run(play, "real")
    narrow.run(play, "real")
    assert narrow.succeeded(play) == {"forged 2": 1, "forged 3": 1, "real": 2, narrow.OTHER: 1}
    assert play.value(catalogue.LABEL_FORGOTTEN, "name") == 1


def test_given_a_full_table_and_nothing_new_then_nothing_is_forgotten() -> None:
    """A task that runs once a year keeps its counter where nobody needs the room."""
    play = narrow.limited(names=2)
    narrow.run(play, "a")
    narrow.run(play, "b")
    narrow.wait(play, 30 * narrow.HOUR)
    assert narrow.succeeded(play) == {"a": 1, "b": 1}


def test_given_a_flood_of_names_then_those_heard_of_lately_stay() -> None:
    """The living are not pushed out by any number of strangers."""
    play = narrow.limited(names=2)
    narrow.run(play, "a")
    narrow.run(play, "b")
    for minute in range(180):
        narrow.run(play, "a")
        narrow.run(play, f"forged {minute}")
        play.pass_time(60, step=5)
    found = narrow.succeeded(play)
    assert found["a"] == 181
    assert len(found) == 3  # it, whoever has the other place, and the rest


def test_given_tasks_in_flight_then_their_names_stay() -> None:
    """One that waits for its eta, or runs for days, is not heard of meanwhile."""
    play = narrow.limited(names=2)
    play.sent("waits", name="a")
    play.received("runs", name="b")
    play.started("runs")
    narrow.wait(play, 5 * narrow.HOUR)
    narrow.run(play, "c")
    assert narrow.succeeded(play)[narrow.OTHER] == 1
    play.ended(uuid="runs")
    assert narrow.succeeded(play)["b"] == 1
    narrow.wait(play)
    narrow.run(play, "c")
    assert play.value(catalogue.TASK_SUCCEEDED, "c", QUEUE) == 1
    play.received("waits", name="a")
    play.started("waits")
    play.ended(uuid="waits")
    assert play.value(catalogue.TASK_SUCCEEDED, "a", QUEUE) == 1
    assert play.value(catalogue.TASKS_IN_FLIGHT, "a", QUEUE, "sent") == 0


def test_given_forged_tasks_that_never_end_then_their_names_go_after_their_ttl() -> None:
    """A minute after every time to live has passed nothing holds them."""
    play = narrow.limited(names=3, ttl=60)
    for number in range(3):
        play.received(f"{number}", name=f"forged {number}")
    narrow.wait(play, 180)
    for name in "abc":
        narrow.run(play, name)
    assert narrow.succeeded(play).keys() >= {"a", "b", "c"}


def test_given_forged_tasks_with_an_eta_beyond_all_time_then_their_names_go_too() -> None:
    """Where there is room such a task is kept; where there is none its silence counts."""
    play = narrow.limited(names=2, ttl=60)
    for number in range(2):
        play.received(f"{number}", name=f"forged {number}", eta="9999-12-31T00:00:00+00:00")
    narrow.wait(play, 300)
    narrow.run(play, "a")
    narrow.run(play, "b")
    assert narrow.succeeded(play).keys() == {"a", "b"}
    assert play.value(catalogue.TRACKER_EVICTIONS, "capacity") == 2
    assert play.children(catalogue.TASK_LOST) == {}


def test_given_room_then_a_task_waits_for_its_eta_however_long() -> None:
    """A place that nobody needs is nobody's business."""
    play = narrow.limited(names=2, ttl=60)
    play.received("1", name="a", eta="2024-01-01T00:00:00+00:00")
    narrow.wait(play, 300)
    assert play.value(catalogue.TASKS_IN_FLIGHT, "a", "unknown", "received") == 1


def test_given_a_name_of_an_objective_then_it_stays_for_ever() -> None:
    """Who asks something of a task wants its series, however seldom it runs."""
    named = schema.TaskObjectives(match=TASK, runtime_seconds=thresholds.Duration(60))
    silent = schema.TaskObjectives(match="nightly.*", silence_seconds=thresholds.Duration(10))
    metrics = schema.Metrics(limits=schema.Limits(names=3))
    objectives = schema.Objectives(tasks=(named, silent))
    play = Stage(schema.Config(metrics=metrics, objectives=objectives))
    for name in (TASK, "nightly.report", "forged"):
        narrow.run(play, name)
    narrow.wait(play, 30 * narrow.HOUR)
    for name in "abc":
        narrow.run(play, name)
    assert narrow.succeeded(play) == {TASK: 1, "nightly.report": 1, "a": 1, narrow.OTHER: 2}


def test_given_a_name_that_a_worker_has_run_then_it_stays() -> None:
    """Its answers tell what it has run since it started: a nightly task is no stranger."""
    play = narrow.limited(names=2)
    narrow.run(play, "nightly")
    narrow.run(play, "forged")
    for _ in range(200):
        play.beat()
        play.answer(started={"nightly": 1}, clock=5, pid=7)
        play.pass_time(30, step=5)
    narrow.run(play, "a")
    narrow.run(play, "b")
    assert narrow.succeeded(play) == {"nightly": 1, "a": 1, narrow.OTHER: 1}


def test_given_a_name_that_comes_back_then_it_begins_at_0_again() -> None:
    """What it had counted is gone with its place."""
    play = narrow.limited(names=1)
    narrow.run(play, "a")
    narrow.wait(play)
    narrow.run(play, "b")
    narrow.wait(play)
    narrow.run(play, "a")
    assert narrow.succeeded(play) == {"a": 1}
    assert play.value(catalogue.LABEL_OVERFLOW, "name") == 0
    play.sent(name="b", queue=QUEUE)
    assert play.value(catalogue.TASK_SENT, "b", QUEUE) is None


def test_given_more_changes_than_places_in_an_hour_then_the_rest_is_other() -> None:
    """Each new name is a new series in somebody's storage: there is an end to them."""
    spent = label_turnover.LabelTurnover(10)
    assert sum(spent.take(100.0) for _ in range(3000)) == label_turnover.LEAST
    assert (
        sum(spent.take(100.0 + narrow.HOUR / 2) for _ in range(3000)) == label_turnover.LEAST // 2
    )
    assert sum(spent.take(50.0) for _ in range(3000)) == 0
    assert label_turnover.LabelTurnover(5000).take(0.0)


# --- queues, series, exceptions, hostnames --------------------------------------------------


def test_given_a_label_of_a_dead_queue_then_it_makes_room_and_a_live_one_does_not() -> None:
    """A queue that holds messages is not forgotten, though no task of it was heard of."""
    play = narrow.limited(queues=2)
    narrow.run(play, "a", queue="dead")
    narrow.run(play, "a", queue="backlog")
    for _ in range(400):
        play.read({"backlog": poll_results.QueueReading(length=3)})
        play.pass_time(10, step=5)
    narrow.run(play, "a", queue="new")
    narrow.run(play, "a", queue="newer")
    queues = {labels[1] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert queues == {"backlog", "new", narrow.OTHER}
    assert play.value(catalogue.TASK_PREFETCH_WAIT, "dead") is None


def test_given_no_more_series_then_the_longest_silent_makes_room() -> None:
    """Names times queues have a limit of their own."""
    play = narrow.limited(series=4)
    for queue in "wxyz":
        narrow.run(play, "a", queue=queue)
        play.pass_time(5)
    narrow.wait(play)
    narrow.run(play, "a", queue="w")
    narrow.run(play, "a", queue="new")
    queues = {labels[1]: n for labels, n in play.children(catalogue.TASK_SUCCEEDED).items()}
    assert queues == {"w": 2, "y": 1, "z": 1, "new": 1}
    assert play.value(catalogue.LABEL_FORGOTTEN, "series") == 1


def test_given_a_series_of_long_labels_then_as_many_make_room_as_it_takes() -> None:
    """The limit is one on bytes."""
    play = narrow.limited(series=4)
    for queue in "wxyz":
        narrow.run(play, "a", queue=queue)
    narrow.wait(play)
    narrow.run(play, "a", queue="long " * 45)
    queues = {labels[1][:4] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert queues == {"long"}
    narrow.run(play, "a", queue="next")
    queues = {labels[1][:4] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert queues == {"long", narrow.OTHER[:4]}


def test_given_exceptions_that_are_not_raised_any_more_then_new_ones_have_room() -> None:
    """A hundred forged classes do not hide the hundred and first, which is real."""
    play = narrow.limited(exceptions=2)
    for exception in ("Forged1()", "Forged2()", "Real()"):
        narrow.run(play, "a", how="failed", exception=exception)
    narrow.wait(play)
    narrow.run(play, "a", how="failed", exception="Forged2()")
    narrow.run(play, "a", how="failed", exception="Real()")
    failed = {labels[2]: n for labels, n in play.children(catalogue.TASK_FAILED).items()}
    assert failed == {"Forged2": 2, "Real": 1, narrow.OTHER: 1}
    assert play.value(catalogue.LABEL_FORGOTTEN, "exception") == 1


def test_given_exceptions_of_all_series_at_their_limit_then_any_series_makes_room() -> None:
    """What one task died of long ago gives its place to what another dies of now."""
    play = narrow.limited(series=2, exceptions=50)
    narrow.run(play, "a", how="failed", exception="Old1()")
    narrow.run(play, "a", how="failed", exception="Old2()")
    narrow.wait(play)
    narrow.run(play, "b", how="failed", exception="New()")
    failed = {labels[0]: labels[2] for labels in play.children(catalogue.TASK_FAILED)}
    assert failed["b"] == "New"
    assert len(failed) == 2


def test_given_the_label_hostname_then_those_of_workers_that_are_up_stay() -> None:
    """Rotating pods leave their names behind."""
    play = narrow.limited(workers=2, by_hostname=True)
    for hostname in ("dead@h", "lives@h"):
        play.beat(hostname)
        play.received(hostname, hostname=hostname)
        play.ended(uuid=hostname, hostname=hostname)
    for _ in range(400):
        play.beat("lives@h")
        play.pass_time(10, step=5)
    for hostname in ("new@h", "newer@h"):
        play.received(hostname, hostname=hostname)
        play.ended(uuid=hostname, hostname=hostname)
    hostnames = {labels[2] for labels in play.children(catalogue.TASK_SUCCEEDED)}
    assert hostnames == {"lives@h", "new@h", narrow.OTHER}
