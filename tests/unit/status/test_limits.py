"""The page says which limit is reached, by what kind of names, and what to do."""

from __future__ import annotations

import pytest

from celery_sentinel.config import schema
from celery_sentinel.status import limits
from tests.unit.fleet import narrow
from tests.unit.fleet.stage import Stage


def test_given_names_that_are_made_up_then_the_note_shows_what_they_have_in_common() -> None:
    """Two thousand of one kind are one sentence."""
    play = narrow.limited(names=12)
    narrow.run(play, "real")
    for number in range(12):
        narrow.run(play, f"report.{number}")
    (note,) = limits.notes(play.fleet)
    assert "metrics.limits.names is 12" in note
    assert "11 of them look like 'report.#'" in note


def test_given_a_limit_that_is_reached_and_keeps_nobody_out_then_nothing_is_said() -> None:
    """As many names as there are places are no trouble."""
    play = narrow.limited(names=2)
    narrow.run(play, "a")
    narrow.run(play, "b")
    assert limits.notes(play.fleet) == []
    narrow.run(play, "c")
    (note,) = limits.notes(play.fleet)
    assert "look like" not in note


@pytest.mark.parametrize("setting", ["queues", "workers", "series"])
def test_given_another_limit_then_its_setting_is_named(setting: str) -> None:
    """Each has a setting of its own."""
    play = Stage(schema.Config(metrics=schema.Metrics(limits=schema.Limits(**{setting: 1}))))
    for name in ("w1@a", "w2@a"):
        play.beat(name)
        narrow.run(play, "a", queue=name)
    assert f"metrics.limits.{setting} is 1." in "".join(limits.notes(play.fleet))
