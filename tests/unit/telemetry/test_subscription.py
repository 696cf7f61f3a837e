"""Every break of the stream is a gap with a length, and a broker never reached is none."""

from __future__ import annotations

from celery_sentinel.telemetry import subscription


def new() -> subscription.Subscription:
    """Return a stream that has not been connected."""
    return subscription.Subscription(transport="redis", url="redis://localhost:6379/0")


def test_given_no_connection_yet_when_attempts_fail_then_there_is_no_gap() -> None:
    """Before the first subscription nothing can have been missed."""
    connection = new()
    connection.lost(10.0, 1000.0, reason="error", error="refused")
    connection.lost(20.0, 1010.0, reason="error", error="timed out")
    assert (connection.up, connection.since, connection.last_error) == (False, 1000.0, "timed out")
    assert sum(connection.gaps.values()) == 0
    assert connection.connected(30.0, 1020.0) is None
    assert connection.gap_seconds(40.0) == 0.0


def test_given_a_subscription_when_it_breaks_then_the_gap_runs_until_the_next() -> None:
    """One break is one gap, however many attempts fail meanwhile."""
    connection = new()
    connection.connected(0.0, 1000.0)
    for now in (10.0, 11.0, 12.0):
        connection.lost(now, 1000.0 + now, reason="error", error="reset")
    assert connection.gaps == {
        "error": 1,
        "watchdog": 0,
        "slow_consumer": 0,
        "overflow": 0,
        "restart": 0,
    }
    assert connection.since == 1010.0
    assert connection.gap_seconds(13.0) == 3.0
    assert connection.connected(15.0, 1015.0) == 5.0
    assert connection.gap_seconds(99.0) == 5.0
    assert (connection.up, connection.since, connection.last_error) == (True, 1015.0, None)


def test_given_two_breaks_then_their_lengths_add_up() -> None:
    """The counter of gap seconds only grows."""
    connection = new()
    seen = []
    for begin in (0.0, 100.0):
        connection.connected(begin, begin)
        seen.append(connection.gap_seconds(begin + 5))
        connection.lost(begin + 10, begin + 10, reason="watchdog", error="silent")
        seen.append(connection.gap_seconds(begin + 30))
    assert seen == [0.0, 20.0, 90.0, 110.0]
    assert connection.gaps["watchdog"] == 2


def test_a_gap_begins_when_all_was_last_heard() -> None:
    """The time in which we were deaf without knowing is part of it, since the subscription."""
    connection = new()
    connection.connected(100.0, 1000.0)
    connection.lost(120.0, 1020.0, reason="watchdog", error="silent", since=105.0)
    assert connection.gap_seconds(121.0) == 16.0
    assert connection.connected(125.0, 1025.0) == 20.0
    connection.lost(130.0, 1030.0, reason="error", error="reset", since=105.0)
    assert connection.gap_seconds(131.0) == 26.0


def test_a_break_that_a_durable_queue_bridges_is_no_gap() -> None:
    """It is a resumption; what was not kept is a gap of its whole length, told afterwards."""
    connection = new()
    connection.durable = True
    connection.connected(0.0, 1000.0)
    connection.lost(10.0, 1010.0, reason="error", error="reset")
    assert connection.gap_seconds(15.0) == 0.0
    assert connection.connected(20.0, 1020.0, kept=True) == 10.0
    assert (connection.resumptions, sum(connection.gaps.values())) == (1, 0)
    connection.overflowed()
    assert connection.gaps["overflow"] == 1
    assert connection.gap_seconds(30.0) == 10.0
    connection.lost(40.0, 1040.0, reason="watchdog", error="silent")
    assert connection.connected(45.0, 1045.0, kept=False) == 5.0
    assert (connection.resumptions, connection.gaps["watchdog"]) == (1, 1)
    assert connection.gap_seconds(50.0) == 15.0


def test_a_break_that_is_a_gap_already_is_not_added_twice() -> None:
    """The broker had been away, and the queue was found full as well: that is one absence."""
    connection = new()
    connection.durable = True
    connection.connected(0.0, 1000.0)
    connection.lost(10.0, 1010.0, reason="error", error="refused")
    connection.connected(20.0, 1020.0, kept=False)
    connection.overflowed()
    assert connection.gap_seconds(30.0) == 10.0
