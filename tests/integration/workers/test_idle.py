"""Connections that are cut when they are idle cost no round, and no line in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import daemon, deadline, relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import server

IDLE = 3.0  # seconds; a stream with heartbeats of workers each 2 s is never so long without any
ROUNDS = 4
SECONDS = 90.0


def test_a_connection_that_was_cut_is_opened_again_in_the_same_round(
    broker: server.Broker,
    ask_often: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Polls each 5 s over a balancer that cuts what is idle for 3 s all succeed."""
    start_worker(broker.url)
    with relay.Relay(broker.url, idle=IDLE) as cable:
        sentinel = ask_often(cable.url, polling={"workers": "5s", "queues": "5s"})
        answered: dict[str, set[float | None]] = {"workers": set(), "queues": set()}

        def rounds() -> int:
            samples = sentinel.scrape()
            for poller, seen in answered.items():
                name = "celery_sentinel_poll_last_success_timestamp_seconds"
                seen.add(daemon.total(samples, name, poller=poller))
            return min(len(seen) for seen in answered.values())

        deadline.wait_until(lambda: rounds() > ROUNDS, SECONDS, "rounds are answered")
        assert sentinel.stop() == 0
    assert "poll_failing" not in sentinel.stderr_text
    assert "enable_events_failed" not in sentinel.stderr_text
