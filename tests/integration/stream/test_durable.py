"""With ``broker.durable_events`` RabbitMQ keeps the events while the daemon is away."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from celery_sentinel.brokers.amqp import event_queue, events as amqp_stream
from celery_sentinel.config import schema
from celery_sentinel.events import decoding
from tests.integration import conftest as shared
from tests.integration.stream import conftest as here
from tests.servers import daemon, deadline, flood

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import rabbitmq

    OpenFlood = Callable[[str], flood.Flood]

DURABLE = "broker: {durable_events: true}\n"

pytestmark = pytest.mark.timeout(400)


def test_a_restart_of_twenty_seconds_loses_nothing(
    rabbitmq_server: rabbitmq.RabbitServer, watch_stream: here.WatchStream, open_flood: OpenFlood
) -> None:
    """What is published before, between and after is counted once, by the one or the other."""
    sentinel = watch_stream(rabbitmq_server.url, DURABLE)
    publishing = open_flood(rabbitmq_server.url)
    publishing.publish(flood.events(3000))
    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) == 3000, 60, "3000 are counted")

    assert sentinel.stop() == 0
    stopped = time.monotonic()
    publishing.publish(flood.events(20_000, of="b"))
    deadline.wait_until(lambda: time.monotonic() - stopped > 20, 60, "20 s have passed")
    sentinel.start()
    publishing.publish(flood.events(300, of="c"))

    deadline.wait_until(
        lambda: here.value(sentinel, here.EVENTS) >= 20_300, 90, "all the rest is counted"
    )
    assert here.value(sentinel, here.EVENTS) == 20_300
    assert here.value(sentinel, here.GAPS) == 0


def test_a_break_of_the_connection_is_no_gap(
    rabbitmq_server: rabbitmq.RabbitServer,
    start_proxy: here.StartProxy,
    watch_stream: here.WatchStream,
    open_flood: OpenFlood,
) -> None:
    """Cut off three times under load it counts three resumptions and each event once."""
    between = start_proxy(rabbitmq_server.url)
    sentinel = watch_stream(between.url(rabbitmq_server.url), DURABLE)
    publishing = open_flood(rabbitmq_server.url)

    for cut, burst in enumerate("abc", 1):
        publishing.publish(flood.events(6000, of=burst))
        between.reset()
        deadline.wait_until(
            lambda n=cut: here.value(sentinel, here.RESUMPTIONS) == n, 60, f"resumed {cut} times"
        )

    deadline.wait_until(lambda: here.value(sentinel, here.EVENTS) >= 18_000, 90, "all are counted")
    samples = sentinel.scrape()
    assert daemon.total(samples, here.EVENTS) == 18_000
    assert daemon.total(samples, here.GAPS) == 0
    assert daemon.total(samples, here.GAP_SECONDS) == 0


def test_what_was_not_acknowledged_comes_again_and_counts_once(
    rabbitmq_server: rabbitmq.RabbitServer, open_flood: OpenFlood
) -> None:
    """Killed between delivery and processing nothing is lost; the same process takes none twice."""
    config = schema.Config(
        broker=schema.Broker(url=rabbitmq_server.url, durable_events=True),
        events=schema.Events(queue_name="here"),
    )
    killed = amqp_stream.AmqpStream(config, decoding.Decoder())
    killed.connect()
    open_flood(rabbitmq_server.url).publish(flood.events(3000))
    first = _read(killed, 700)
    _cut(killed)
    heir = amqp_stream.AmqpStream(config, decoding.Decoder())
    deadline.wait_until(lambda: _connects(heir), 60, "the dead consumer is gone")
    second = _read(heir, 1000)
    _cut(heir)
    deadline.wait_until(lambda: _connects(heir), 60, "the dead connection is gone")
    third = _read(heir, 3000 - len(set(first) | set(second)))
    heir.close()

    assert sorted({*first, *second, *third}) == list(range(3000))
    assert not set(second) & set(third)
    assert len(set(first) & {*second, *third}) <= event_queue.PREFETCH


def test_a_second_daemon_is_refused_and_says_why(
    rabbitmq_server: rabbitmq.RabbitServer,
    watch_stream: here.WatchStream,
    start_daemon: conftest.StartDaemon,
) -> None:
    """Two daemons would divide the events between them; the second waits until the first ends."""
    first = watch_stream(rabbitmq_server.url, DURABLE)
    second = start_daemon(rabbitmq_server.url, config=DURABLE)

    deadline.wait_until(lambda: "events.queue_name" in second.stderr_text, 60, "it says why")
    assert here.value(second, "celery_broker_up") == 0
    assert first.stop() == 0
    shared.wait_up(second)


def test_a_queue_that_was_full_is_a_gap(
    rabbitmq_server: rabbitmq.RabbitServer, watch_stream: here.WatchStream, open_flood: OpenFlood
) -> None:
    """More than the limit has waited for us: the oldest are gone, and that is said."""
    sentinel = watch_stream(rabbitmq_server.url, f"{DURABLE}events: {{queue_max_bytes: 100000}}\n")
    assert sentinel.stop() == 0
    open_flood(rabbitmq_server.url).publish(flood.events(1000))

    sentinel.start()

    deadline.wait_until(
        lambda: here.value(sentinel, here.GAPS, reason="overflow") == 1, 60, "the gap is counted"
    )
    assert 300 < here.value(sentinel, here.EVENTS) < 1000


@pytest.mark.parametrize("how", ["deleted", "restarted"])
def test_a_queue_that_forgot_is_a_gap(
    rabbitmq_server: rabbitmq.RabbitServer, watch_stream: here.WatchStream, how: str
) -> None:
    """Deleted under us, or emptied by a restart of the broker, the queue has kept nothing."""
    sentinel = watch_stream(rabbitmq_server.url, f"{DURABLE}events: {{queue_name: q}}\n")

    if how == "deleted":
        vhost = rabbitmq_server.vhost
        rabbitmq_server.ctl("delete_queue", "celeryev.sentinel.q", "--vhost", vhost)
    else:
        rabbitmq_server.kill()
        rabbitmq_server.start()

    deadline.wait_until(lambda: here.value(sentinel, here.GAPS) == 1, 90, "the gap is counted")
    shared.wait_up(sentinel)
    assert here.value(sentinel, here.RESUMPTIONS) == 0


def _connects(stream: amqp_stream.AmqpStream) -> bool:
    try:
        stream.connect()
    except Exception:  # noqa: BLE001 - tried again
        return False
    return True


def _read(stream: amqp_stream.AmqpStream, least: int) -> list[int]:
    """Return the clocks of at least so many events, each read as often as it came."""
    clocks: list[int] = []
    for _ in itertools.repeat(None, 1000):
        if len(clocks) >= least:
            break
        clocks += [event.clock or 0 for event in stream.read()]
    return clocks


def _cut(stream: amqp_stream.AmqpStream) -> None:
    """Close the socket as the kernel does for a process that was killed."""
    stream._connection.transport.sock.close()  # noqa: SLF001 - a kill -9 of this process
