"""Brokers of the soak's own, for it ends and freezes them, and the parts of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import conftest as integration
from tests.servers import rabbitmq, relay
from tests.soak import fleet, ledger, load, scene, watcher

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable

    from tests import conftest
    from tests.servers import daemon, server

watch = integration.watch

# Ended tasks are forgotten soon, so that their number is steady in a short run, too.
# Workers are asked often, for a loss shows after a poll of them.
CONFIG = """\
metrics: {zero_born_hold: 0s}
tasks: {grace: 15s}
polling: {workers: 4s}
"""


@pytest.fixture(params=["redis", "rabbitmq"])
def own_broker(
    request: pytest.FixtureRequest,
    start_redis: conftest.StartRedis,
    new_directory: conftest.Directories,
    closing: contextlib.ExitStack,
) -> server.Broker:
    """Start a broker for this test alone: other tests on RabbitMQ need not wait for it."""
    if request.param == "redis":
        return start_redis()
    return closing.enter_context(rabbitmq.RabbitServer(new_directory("rabbitmq")))


@pytest.fixture
def compose(
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
    closing: contextlib.ExitStack,
) -> Callable[[server.Broker], tuple[daemon.Daemon, scene.Scene]]:
    """Start a daemon, its scraper, all workers, and a load that waits for its cue."""

    def start(broker: server.Broker) -> tuple[daemon.Daemon, scene.Scene]:
        cable = closing.enter_context(relay.Relay(broker.url))
        sentinel = watch(cable.url, config=CONFIG)
        workers = fleet.Fleet(broker, start_worker)
        workers.start()
        sending = make_producer(broker.url, config=load.CONFIG)
        sender = closing.enter_context(load.Load(sending))
        watching = closing.enter_context(watcher.Watcher(sentinel))
        books = ledger.Ledger(workers, sending, watching)
        made = scene.Scene(broker, cable, workers, sending, sender, watching, books)
        made.wait_all_up()
        return sentinel, made

    return start
