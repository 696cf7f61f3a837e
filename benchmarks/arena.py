"""One contestant, one broker, one traffic: how much it used and how much it counted."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import amqp

from benchmarks import forms, measure, publishing, traffic
from tests.servers import deadline, rabbitmq, redis, server as base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks import peers
    from benchmarks.settings import Settings

_SECONDS = 60.0
_DRAIN_SECONDS = 90.0


@dataclasses.dataclass(frozen=True)
class Result:
    """What one run of one contestant came to."""

    label: str
    events: int  # task events published
    counted: int
    cpu: float  # seconds
    rss: int  # bytes, peak
    judged: bool

    @property
    def share(self) -> float:
        """The share of events counted, of 1."""
        return self.counted / self.events

    @property
    def cpu_per_100k(self) -> float:
        """CPU seconds for 100,000 events counted; infinite if none was."""
        return self.cpu / self.counted * 100_000 if self.counted else float("inf")


@contextlib.contextmanager
def broker(name: str) -> Iterator[base.Broker]:
    """Start a Redis or a RabbitMQ server with its default limits."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        kind = {"redis": redis.RedisServer, "rabbitmq": rabbitmq.RabbitServer}[name]
        chosen = kind(Path(home))
        chosen.start()
        try:
            yield chosen
        finally:
            chosen.kill()


def publisher(server: base.Broker) -> publishing.Publisher:
    """Connect a publisher."""
    if isinstance(server, redis.RedisServer):
        return publishing.RedisPublisher(server)
    assert isinstance(server, rabbitmq.RabbitServer)  # noqa: S101 -- for the type checker
    return publishing.RabbitPublisher(server)


def wait_subscribed(
    server: base.Broker, subscribers: int = 1, *, by: peers.Contestant | None = None
) -> None:
    """Wait until events reach somebody: on Redis so many, on RabbitMQ anybody.

    If ``by`` ends meanwhile, that is an error, which shows its log.
    """
    if isinstance(server, redis.RedisServer):
        with server.client() as client:

            def enough() -> bool:
                _check(by)
                found = client.client_list(_type="pubsub")
                return sum(int(one["psub"]) > 0 for one in found) >= subscribers

            deadline.wait_until(enough, _SECONDS, "subscribed")
        return
    assert isinstance(server, rabbitmq.RabbitServer)  # noqa: S101 -- for the type checker
    with amqp.Connection(f"127.0.0.1:{server.port}", virtual_host=server.vhost) as connection:
        channel = connection.channel()
        channel.exchange_declare("celeryev", "topic", durable=True, auto_delete=False)
        returned: list[object] = []
        channel.events["basic_return"].add(lambda *found: returned.append(found))
        channel.confirm_select()

        def routed() -> bool:
            _check(by)
            returned.clear()
            message = amqp.Message(b"[]", content_type="application/json")
            channel.basic_publish_confirm(message, "celeryev", "worker.none", mandatory=True)
            return not returned

        deadline.wait_until(routed, _SECONDS, "bound")


def _check(contestant: peers.Contestant | None) -> None:
    if contestant is not None and not contestant.running:
        raise base.ServerError(f"{contestant.label} has ended:\n{contestant.log_tail()}")


def run(
    contestant: type[peers.Contestant],
    server: base.Broker,
    shape: traffic.Shape,
    settings: Settings,
    *,
    rate: float | None = None,
) -> Result:
    """Start a contestant, warm it up, publish at ``rate`` messages a second or at once."""
    if isinstance(server, rabbitmq.RabbitServer):
        server.fresh_vhost()
    amqp_form = isinstance(server, rabbitmq.RabbitServer)
    with tempfile.TemporaryDirectory(prefix="bench-") as home, contextlib.ExitStack() as stack:
        one = contestant(Path(home), server.url)
        _limit(server, limited=contestant.judged)
        one.start()
        stack.callback(one.close)
        wait_subscribed(server, by=one)
        sender = publisher(server)
        stack.callback(sender.close)
        first = dataclasses.replace(shape, events=settings.warm_up, seed=shape.seed + 1000)
        warm, greeted = _messages(first, amqp=amqp_form)
        publishing.paced(sender, warm, rate=1000)
        measure.wait_quiet(one.pid, _DRAIN_SECONDS, quiet=settings.quiet)
        counted = _counted(one, greeted, settings.patience)
        measure.wait_quiet(one.pid, _DRAIN_SECONDS, quiet=settings.quiet)
        messages, events = _messages(shape, amqp=amqp_form)
        before = measure.cpu_seconds(one.pid)
        if rate is None:
            publishing.burst(sender, messages)
        else:
            publishing.paced(sender, messages, rate=rate)
        measure.wait_quiet(one.pid, _DRAIN_SECONDS, quiet=settings.quiet)
        cpu = max(measure.LEAST, measure.cpu_seconds(one.pid) - before)
        rss = measure.peak_rss(one.pid)
        total = 0
        with contextlib.suppress(Exception):
            total = _counted(one, counted + events, settings.patience) - counted
        return Result(one.label, events, total, cpu, rss, one.judged)


def _counted(one: peers.Contestant, least: int, patience: float) -> int:
    """Return how many events it has counted, as soon as they are ``least`` or the time is over.

    A process that seems to be done may only have been waiting for the processor.
    """
    with contextlib.suppress(TimeoutError):
        deadline.wait_until(lambda: one.counted() >= least, patience, "all are counted")
    return one.counted()


def _limit(server: base.Broker, *, limited: bool) -> None:
    """Set Redis' limit for subscribers that do not read: its default, or none."""
    if isinstance(server, redis.RedisServer):
        with server.client() as client:
            limits = "32mb 8mb 60" if limited else "0 0 0"
            client.config_set("client-output-buffer-limit", f"pubsub {limits}")


def _messages(shape: traffic.Shape, *, amqp: bool) -> tuple[list[bytes], int]:
    """Return messages and how many task events they carry."""
    source = traffic.Traffic(shape)
    greeting = forms.encoded(source.hello(), amqp=amqp)
    return [*greeting, *forms.encoded(source.messages(), amqp=amqp)], source.made
