"""A snapshot is taken while events come in; what it then holds must still fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings

from celery_sentinel.fleet import task_series
from celery_sentinel.metrics import catalogue
from celery_sentinel.state import snapshot
from tests.unit.fleet import stage, test_invariants
from tests.unit.state import restarts

if TYPE_CHECKING:
    from celery_sentinel.config import schema


def taken_during(play: stage.Stage, script: list[test_invariants.Step]) -> list[bytes]:
    """Return a snapshot, a task a slice, with one step of the script between two slices."""
    steps = iter(script)

    def rest() -> None:
        step = next(steps, None)
        if step is not None:
            test_invariants.take(play, step)

    taken = snapshot.Snapshot(play.fleet, play.stream, rest=rest, records=1)
    return list(taken.frames(restarts.ORIGIN, now=play.now, wall=play.wall, final=False))


@settings(max_examples=150, deadline=None)
@given(
    config=test_invariants.configs,
    before=test_invariants.steps_and_rounds,
    meanwhile=test_invariants.steps_and_rounds,
)
def test_given_any_events_meanwhile_then_the_restored_model_agrees_with_itself(
    config: schema.Config,
    before: list[test_invariants.Step],
    meanwhile: list[test_invariants.Step],
) -> None:
    """New series, workers and states between two slices leave no dangling number behind."""
    play = stage.Stage(config)
    for step in before:
        test_invariants.take(play, step)
    new = restarts.restored(taken_during(play, meanwhile), play, config, away=1.0)
    assert test_invariants.in_flight(new) == test_invariants.open_records(new)
    assert test_invariants.running(new) == test_invariants.started(new)
    for record in new.fleet.records.by_id.values():
        assert record.seen <= new.now
    for step in meanwhile:
        test_invariants.take(new, step)
    assert new.fleet.failures == 0


def test_a_task_that_ends_meanwhile_leaves_no_ghost() -> None:
    """Its end may be missing in the counter, as if it fell into the gap; it is never open then."""
    play = stage.Stage()
    play.received("ends", at=0)
    play.started("ends", at=1)
    steps = iter([None, lambda: play.ended("succeeded", "ends", at=2)])

    def rest() -> None:
        step = next(steps, None)
        if step is not None:
            step()

    taken = snapshot.Snapshot(play.fleet, play.stream, rest=rest)
    frames = list(taken.frames(restarts.ORIGIN, now=play.now, wall=play.wall, final=False))
    new = restarts.restored(frames, play, None, away=1.0)
    assert new.record("ends").state == task_series.CLOSED
    assert new.value(catalogue.TASKS_IN_FLIGHT, stage.TASK, "unknown", "started") == 0
