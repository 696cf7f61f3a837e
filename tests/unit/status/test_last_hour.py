"""Failures of the last hour are a matter of the last hour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import status
from celery_sentinel.status import last_hour
from tests.unit.fleet.stage import Stage

if TYPE_CHECKING:
    from celery_sentinel.status import schema as status_schema

MINUTE = 60.0


class Page:
    """A fleet, and what its page says of failing tasks."""

    def __init__(self) -> None:
        self.stage = Stage()
        self._recent = last_hour.LastHour()
        self.look()

    def run(self, uuid: str, how: str) -> None:
        """Play a task."""
        self.stage.received(uuid)
        self.stage.started(uuid)
        self.stage.ended(how, uuid, runtime=1.0, exception="KeyError('x')")

    def look(self) -> None:
        """Do what the daemon does twice a second."""
        self._recent.look(self.stage.fleet, self.stage.now)

    def pass_minutes(self, minutes: int) -> None:
        """Let time pass."""
        for _ in range(minutes):
            self.stage.jump(MINUTE)
            self.look()

    def failing(self) -> list[tuple[int, int, int]]:
        """Return failed and succeeded of the last hour, and failed of all time, by task."""
        told: status_schema.Status = status.build(
            self.stage.fleet, self.stage.stream, recent=self._recent, started=0.0, ready=True
        )
        return [
            (task.failed_last_hour, task.succeeded_last_hour, task.failed) for task in told.failing
        ]


def test_a_failure_is_shown_for_an_hour_and_then_no_more() -> None:
    """Not a month later, at 100 %."""
    page = Page()
    page.run("1", "failed")
    assert page.failing() == [(1, 0, 1)]
    page.pass_minutes(59)
    assert page.failing() == [(1, 0, 1)]
    page.pass_minutes(10)
    assert page.failing() == []


def test_the_ratio_is_of_what_ended_lately() -> None:
    """Ten thousand successes of last week say nothing of now."""
    page = Page()
    for number in range(100):
        page.run(f"old{number}", "succeeded")
    page.run("old", "failed")
    page.pass_minutes(120)
    page.run("a", "failed")
    page.run("b", "failed")
    page.run("c", "succeeded")
    assert page.failing() == [(2, 1, 3)]
    page.pass_minutes(30)
    page.run("d", "failed")
    assert page.failing() == [(3, 1, 4)]
    page.pass_minutes(40)
    assert page.failing() == [(1, 0, 4)]


def test_what_was_restored_is_not_of_the_last_hour() -> None:
    """After a restart with a state file nobody knows when a counter rose."""
    page = Page()
    page.run("1", "failed")
    again = last_hour.LastHour()
    again.look(page.stage.fleet, page.stage.now)
    (one,) = page.stage.fleet.series
    assert again.of(one) == (0, 0)


def test_what_is_kept_is_bounded() -> None:
    """However long the daemon runs."""
    page = Page()
    page.run("1", "failed")
    page.pass_minutes(1000)
    assert len(page._recent._checkpoints) <= 14  # noqa: SLF001 -- a bound on memory
