"""What is wrong with the broker is put together from all who speak to it, each reason once."""

from __future__ import annotations

from celery_sentinel import health, poll_results
from celery_sentinel.telemetry import polls
from tests.unit.fleet.stage import Stage

FULL = poll_results.Trouble(reason="out_of_memory", text="INFO")
LATE = poll_results.Trouble(reason="timeout", text="timed out")


def told(play: Stage) -> list[tuple[str, str]]:
    """Return reasons and texts."""
    found = polls.troubles(play.stream, play.fleet.polls, play.fleet.backlog.condition)
    return [(one.reason, one.text) for one in found]


def test_given_several_sources_then_each_reason_is_told_once() -> None:
    """The stream comes first, then the broker's own word, then polls; the backend's are apart."""
    play = Stage()
    play.stream.lost(0.0, 0.0, reason="error", error="refused")
    play.stream.last_reason = "unreachable"
    play.read({}, condition=poll_results.BrokerCondition(troubles=(FULL,)))
    play.fleet.note_poll("queues", LATE, duration=3.0, wall=1.0)
    play.fleet.note_poll("workers", LATE, duration=3.0, wall=1.0)
    refused = poll_results.Trouble(reason="authentication", text="no")
    play.fleet.note_poll("result_backend", refused, duration=3.0, wall=1.0)
    assert told(play) == [
        ("unreachable", "refused"),
        ("out_of_memory", "INFO"),
        ("timeout", "poll of queues: timed out"),
    ]


def test_given_that_all_is_well_again_then_nothing_is_told() -> None:
    """A poll that succeeds takes its trouble back; what it counted stays."""
    play = Stage()
    play.stream.connected(play.now, play.wall)
    play.fleet.note_poll("queues", LATE, duration=3.0, wall=1.0)
    play.fleet.note_poll("queues", duration=0.1, wall=2.0)
    assert told(play) == []
    assert play.fleet.polls["queues"].failures["timeout"] == 1


def test_given_what_celery_cannot_work_with_then_we_are_not_ready() -> None:
    """A full broker is of no use; a poll that was late says nothing of that."""
    play = Stage()
    play.stream.connected(play.now, play.wall)
    play.fleet.note_poll("queues", LATE, duration=3.0, wall=1.0)
    assert health.of_stream(play.fleet, play.stream, started=0.0, now=play.wall).ok
    play.read({}, condition=poll_results.BrokerCondition(troubles=(FULL,)))
    found = health.of_stream(play.fleet, play.stream, started=0.0, now=play.wall)
    assert not found.ok
    assert "memory is full" in found.reasons[0]
