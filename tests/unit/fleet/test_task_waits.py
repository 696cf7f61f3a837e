"""Durations come from the events' own times, and only from times that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel.config import schema
from celery_sentinel.fleet import task_waits
from celery_sentinel.metrics import catalogue
from tests.unit.fleet.stage import EPOCH, QUEUE, TASK, Stage

if TYPE_CHECKING:
    from celery_sentinel.metrics import samples

WHERE = (TASK, QUEUE)
ETA = "2023-11-14T22:15:00+00:00"  # 100 s after EPOCH


def run(play: Stage, *, eta: str | None = None, started: float = 2.0) -> None:
    """Play a task that is sent at 0, received at 1 and started."""
    play.sent(at=0, eta=eta)
    play.received(at=1, eta=eta)
    play.started(at=started)


def test_given_sent_received_started_then_both_waits_are_observed(play: Stage) -> None:
    """The queue wait runs from sent, the prefetch wait from received."""
    run(play)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 2.0)
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, QUEUE) == (1, 1.0)


def test_given_no_task_sent_then_no_queue_wait_is_observed(play: Stage) -> None:
    """Without task-sent the wait is unknown, not 0."""
    play.received(at=1)
    play.started(at=2)
    assert play.children(catalogue.TASK_QUEUE_WAIT) == {}
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, "unknown") == (1, 1.0)


@pytest.mark.parametrize("eta", [ETA, "2023-11-14T22:15:00", "2023-11-15T03:45:00+05:30"])
def test_given_an_eta_when_started_after_it_then_waits_run_from_it(play: Stage, eta: str) -> None:
    """A task that was to wait did not wait until its eta; a naive one is UTC."""
    run(play, eta=eta, started=103.0)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 3.0)
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, QUEUE) == (1, 3.0)


def test_given_an_eta_that_is_past_when_sent_then_waits_run_from_sent(play: Stage) -> None:
    """An eta matters where it is the later moment."""
    run(play, eta="2023-11-14T22:00:00+00:00")
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 2.0)


def test_given_a_start_before_its_eta_then_the_waits_are_clamped_and_counted(play: Stage) -> None:
    """Clocks that differ make a negative wait: it is 0, and known to be wrong."""
    run(play, eta=ETA, started=99.0)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 0.0)
    assert play.value(catalogue.WAIT_CLAMPS) == 2


@pytest.mark.parametrize(("early", "counted"), [(0.001, 0), (0.049, 0), (0.051, 1), (60.0, 1)])
def test_given_a_start_before_task_sent_then_only_more_than_its_usual_lateness_is_counted(
    play: Stage, early: float, counted: int
) -> None:
    """A producer writes the event after the message; an idle worker may be quicker."""
    play.received(at=100 - early)
    play.sent(at=100)
    play.started(at=100 - early)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE) == (1, 0.0)
    assert play.value(catalogue.WAIT_CLAMPS) == counted


def test_given_an_eta_of_the_first_attempt_then_it_does_not_hold_for_the_second(
    play: Stage,
) -> None:
    """The eta of an attempt is over with its start."""
    run(play, eta=ETA, started=101.0)
    play.ended("retried", at=102)
    play.received(at=103, retries=1)
    play.started(at=104)
    assert play.distribution(catalogue.TASK_PREFETCH_WAIT, QUEUE) == (2, 2.0)


@pytest.mark.parametrize(
    ("eta", "expected"),
    [
        (None, None),
        ("", None),
        ("tomorrow", None),
        ("2023-11-14T22:13:20Z", EPOCH),
        ("2023-11-14T22:13:20", EPOCH),
        ("2023-11-14T23:13:20.5+01:00", EPOCH + 0.5),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("9999-12-31T23:59:59-23:59", 253402387139.0),
    ],
)
def test_given_an_eta_as_celery_writes_it_then_it_is_epoch_seconds(
    eta: str | None, expected: float | None
) -> None:
    """Etas are ISO 8601, perhaps without a zone, and what cannot be read is None."""
    assert task_waits.parse_eta(eta) == expected


@pytest.mark.parametrize("missing", ["sent", "received", "started"])
def test_given_an_event_without_time_then_no_wait_is_made_up(play: Stage, missing: str) -> None:
    """A timestamp of 0.0 means that the sender gave none: nothing is measured, or clamped."""
    times = {"sent": 0.0, "received": 1.0, "started": 2.0, missing: -EPOCH}
    play.sent(at=times["sent"])
    play.received(at=times["received"])
    play.started(at=times["started"])
    queue_waits, _ = play.distribution(catalogue.TASK_QUEUE_WAIT, *WHERE)
    prefetch_waits, _ = play.distribution(catalogue.TASK_PREFETCH_WAIT, QUEUE)
    assert (queue_waits, prefetch_waits) == (
        0 if missing in {"sent", "started"} else 1,
        0 if missing in {"received", "started"} else 1,
    )
    assert play.value(catalogue.WAIT_CLAMPS) == 0


def test_given_success_then_the_run_time_is_the_workers_own(play: Stage) -> None:
    """task-succeeded brings a run time measured where the task ran."""
    run(play)
    play.ended(at=60, runtime=2.5)
    assert play.distribution(catalogue.TASK_RUNTIME, *WHERE, "succeeded") == (1, 2.5)


@pytest.mark.parametrize("runtime", [None, -1.0, 1e12])
def test_given_a_success_without_a_run_time_then_it_counts_and_none_is_observed(
    play: Stage, runtime: float | None
) -> None:
    """The run time may be null: the success counts all the same."""
    run(play)
    play.ended(at=5, runtime=runtime)
    assert play.value(catalogue.TASK_SUCCEEDED, *WHERE) == 1
    assert play.children(catalogue.TASK_RUNTIME) == {}


@pytest.mark.parametrize(("ends", "expected"), [(5.0, 3.0), (1.0, 0.0)])
def test_given_a_failure_then_its_run_time_is_from_start_to_end(
    play: Stage, ends: float, expected: float
) -> None:
    """task-failed brings no run time; both times are the worker's, and a clock may step back."""
    run(play)
    play.ended("failed", at=ends)
    assert play.distribution(catalogue.TASK_RUNTIME, *WHERE, "failed") == (1, expected)


@pytest.mark.parametrize("missing", ["started", "failed"])
def test_given_a_failure_when_a_time_is_missing_then_no_run_time_is_observed(
    play: Stage, missing: str
) -> None:
    """A run time needs both ends."""
    play.received(at=0)
    play.started(at=-EPOCH if missing == "started" else 1)
    play.ended("failed", at=-EPOCH if missing == "failed" else 2)
    assert play.children(catalogue.TASK_RUNTIME) == {}


def test_given_a_failure_that_never_started_then_no_run_time_is_observed(play: Stage) -> None:
    """What did not run took no time."""
    play.received(at=0)
    play.ended("failed", at=2)
    assert play.children(catalogue.TASK_RUNTIME) == {}


def test_given_a_retry_when_it_fails_then_only_its_last_attempt_is_timed(play: Stage) -> None:
    """The run time of a failure is that of the attempt that failed."""
    run(play)
    play.ended("retried", at=10)
    play.received(at=20, retries=1)
    play.started(at=21)
    play.ended("failed", at=23)
    assert play.distribution(catalogue.TASK_RUNTIME, *WHERE, "failed") == (1, 2.0)


def test_given_a_duration_on_a_bound_then_its_bucket_includes_it(play: Stage) -> None:
    """Upper bounds are inclusive, and what is above the last falls into +Inf."""
    for runtime in (0.005, 0.0051, 3600.0, 3601.0):
        run(play)
        play.ended(runtime=runtime)
    found: samples.Distribution = play.value(catalogue.TASK_RUNTIME, *WHERE, "succeeded")
    assert [found.counts[0], found.counts[1], found.counts[-2], found.counts[-1]] == [1, 1, 1, 1]


def test_given_buckets_by_pattern_then_the_first_match_gives_the_bounds() -> None:
    """Histograms are configurable per task by pattern, and an empty list turns one off."""
    play = Stage(
        schema.Config(
            tasks=schema.Tasks(
                buckets=(schema.TaskBuckets(match="shop.*", runtime=(1.0,), queue_wait=()),),
                prefetch_buckets=(),
            )
        )
    )
    run(play)
    play.ended(runtime=0.5)
    assert play.value(catalogue.TASK_RUNTIME, *WHERE, "succeeded").bounds == (1.0,)
    assert play.children(catalogue.TASK_QUEUE_WAIT) == {}
    assert play.children(catalogue.TASK_PREFETCH_WAIT) == {}


def test_given_late_sent_when_waits_are_off_then_nothing_is_observed() -> None:
    """A histogram that is off is off for belated events too."""
    play = Stage(schema.Config(tasks=schema.Tasks(buckets=(schema.TaskBuckets(queue_wait=()),))))
    play.received(at=1)
    play.started(at=2)
    play.sent(at=0)
    play.ended("failed", at=3)
    assert play.children(catalogue.TASK_QUEUE_WAIT) == {}


def test_given_compat_then_its_aliases_say_the_same(play: Stage) -> None:
    """The de-facto exporter's names are aliases: successes only, and the same waits."""
    run(play)
    play.ended(runtime=2.5)
    assert play.distribution(catalogue.TASK_RUNTIME_COMPAT, *WHERE) == (1, 2.5)
    assert play.distribution(catalogue.TASK_QUEUE_WAIT_COMPAT, *WHERE) == (1, 2.0)
