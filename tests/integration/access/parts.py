"""What the daemon does at a broker, part by part, over the connections it really makes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from celery_sentinel import errors
from celery_sentinel.brokers import registry
from celery_sentinel.config import schema
from celery_sentinel.events import decoding
from celery_sentinel.remote_control import client as remote_control
from tests.servers import deadline

if TYPE_CHECKING:
    from collections.abc import Callable

QUEUE = "shop"  # has one message
PARTS = ("stream", "depth", "discovery", "control")
_SECONDS = 60.0
_ROUND = 2.0  # seconds


class Parts:
    """Event stream, poll of queues and remote control of one config; each connects by itself."""

    def __init__(self, url: str, **broker: Any) -> None:
        self._config = schema.Config(broker=schema.Broker(url=url, **broker))
        self._listens = True

    def refusals(self, worker: str, *, hear: bool = True) -> dict[str, str]:
        """Do all there is to do; return why parts failed, by part; empty if all work.

        ``hear`` also waits for a heartbeat; a subscription alone is quicker.
        """
        self._listens = hear
        actions: dict[str, Callable[[str], None]] = {
            "stream": self._hear,
            "depth": self._count,
            "discovery": self._discover,
            "control": self._ask,
        }
        found = {}
        for part in PARTS:
            try:
                actions[part](worker)
            except errors.BrokerError as error:
                found[part] = str(error)
        return found

    def _hear(self, _: str) -> None:
        stream = registry.event_stream(self._config, decoding.Decoder())
        with contextlib.closing(stream):
            stream.connect()
            if self._listens:
                deadline.wait_until(stream.read, _SECONDS, "a heartbeat is heard")

    def _count(self, _: str) -> None:
        with contextlib.closing(registry.queue_reader_of(self._config)) as reader:
            found = reader.read([QUEUE])
        assert found.queues[QUEUE].length == 1
        if found.trouble:
            raise errors.BrokerError(found.trouble)

    def discovered(self) -> set[tuple[str, str]]:
        """Return the queues that the broker tells of, with the source."""
        with contextlib.closing(registry.queue_reader_of(self._config)) as reader:
            if not self._config.broker.url.startswith("amqp"):  # there it takes no right
                reader.elsewhere()
            return set(reader.discover())

    def elsewhere(self) -> str:
        """Return where Celery is other than here, as the daemon tells it."""
        with contextlib.closing(registry.queue_reader_of(self._config)) as reader:
            return " ".join(reader.elsewhere())

    def _discover(self, _: str) -> None:
        found = {name for name, _ in self.discovered()}
        if not self._config.broker.url.startswith("amqp"):
            assert found >= {QUEUE}

    def _ask(self, worker: str) -> None:
        with contextlib.closing(remote_control.Control(self._config)) as asking:
            # On Redis a worker says that it is ready before it listens to questions.
            answers = deadline.wait_until(
                lambda: asking.ask(expected=[worker], timeout=_ROUND), _SECONDS, "it answers"
            )
            asking.tell("enable_events", [worker])
        assert [one.hostname for one in answers] == [worker]
