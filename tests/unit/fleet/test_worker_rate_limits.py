"""A worker that a rate limit holds back is not stuck; one that is stuck is found beside limits."""

from __future__ import annotations

from typing import Any

import pytest

from celery_sentinel.fleet import worker_verdict
from celery_sentinel.remote_control import rate_limits
from celery_sentinel.status import worker_notes
from tests.unit.fleet import test_worker_stuck
from tests.unit.fleet.stage import WORKER, Stage

LIMITED = {"mail.send": True, "sms.send": False}


def stalled(*, name: str | None = "mail.send", enabled: bool | None = True, **said: Any) -> Stage:
    """Return a fleet whose worker has received a task, stands still, and told its limits."""
    play = test_worker_stuck.stage()
    play.worker().events_enabled = enabled
    if name is not None:
        play.received(name=name)
    for _ in range(14):
        play.beat(processed=40)
        play.read_length("sms", 5)
        play.pass_time(2)
        if play.worker().limits_asked is not None:
            play.answer(**said)
            play.worker().events_enabled = enabled
    return play


@pytest.mark.parametrize(
    ("told", "progresses"),
    [
        ({"rate_limits": LIMITED}, True),
        ({"rate_limits": LIMITED, "name": "a shadow"}, True),
        ({"rate_limits": LIMITED, "name": None, "enabled": False}, True),
        ({"rate_limits": LIMITED, "name": "sms.send"}, False),
        ({"rate_limits": LIMITED, "name": None}, False),
        ({"rate_limits": LIMITED, "reserved": 1}, False),
        ({"rate_limits": {"mail.send": False}}, False),
        ({}, False),
    ],
    ids=["held", "shadow", "no events", "other", "none received", "reserved", "no limit", "mute"],
)
def test_given_a_stall_then_limits_excuse_whom_they_may_hold(
    told: dict[str, Any], progresses: bool
) -> None:
    """What waits for the pool is reserved, and is not what a limit holds back."""
    play = stalled(**told)
    assert (play.worker().wedged is None) == progresses
    assert play.worker().wedged in {None, worker_verdict.NO_PROGRESS}
    notes = worker_notes.build(list(play.fleet.workers), play.now)
    assert any("rate limit" in note for note in notes) == progresses


def test_given_a_stall_until_the_worker_has_told_then_it_is_not_judged() -> None:
    """It is asked in the next poll."""
    play = test_worker_stuck.stage()
    for _ in range(20):
        play.beat(processed=40)
        play.read_length("sms", 5)
        play.pass_time(2)
    assert test_worker_stuck.wedged(play, WORKER) == test_worker_stuck.NONE
    assert play.worker().limits_asked == 0


def test_given_progress_then_what_was_told_of_limits_is_forgotten() -> None:
    """The next stall is asked about anew."""
    play = stalled(rate_limits=LIMITED)
    play.beat(processed=41)
    play.pass_time(1)
    assert play.worker().limits_asked is None
    assert not play.worker().limits_hold


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        ("shop.charge", {"shop.charge": False}),
        ("shop.charge [rate_limit=1/h]", {"shop.charge": True}),
        ("shop.charge [rate_limit=0.5/m]", {"shop.charge": True}),
        ("shop.charge [rate_limit=10]", {"shop.charge": True}),
        ("shop.charge [exchange=x rate_limit=10.0/s routing_key=y]", {"shop.charge": True}),
        ("shop.charge [rate_limit=0/m]", {"shop.charge": False}),
        ("shop.charge [rate_limit=0]", {"shop.charge": False}),
        ("shop.charge [rate_limit=None]", {"shop.charge": False}),
        ("[", {"[": False}),
        ("", {"": False}),
    ],
)
def test_given_a_task_as_celery_lists_it_then_its_limit_is_read(
    listed: str, found: dict[str, bool]
) -> None:
    """A limit of nothing is none, and what is no such line is a name."""
    assert rate_limits.read([listed]) == found


def test_given_nothing_listed_then_nothing_is_known_of_limits() -> None:
    """The question was not asked, or not answered."""
    assert rate_limits.read(None) is None
