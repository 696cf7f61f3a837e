"""The broker is asked in the right place whether it knows a worker, whatever its names are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel import errors
from celery_sentinel.config import schema
from celery_sentinel.remote_control import mailboxes
from tests.servers import deadline, ports

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import redis, server

SECONDS = 60.0
W1, W2 = "w1@fleet", "w2@fleet"


def looking(url: str, **options: Any) -> mailboxes.Mailboxes:
    """Return what looks for mailboxes on a broker."""
    config = schema.Config(broker=schema.Broker(url=url, transport_options=options))
    found = mailboxes.mailboxes_of(config)
    assert found is not None
    return found


def gone(look: mailboxes.Mailboxes, *names: str, answered: int = 0) -> set[str]:
    """Look before and after a round in which so many others answered."""
    look.begin(names)
    return look.gone(names, answered=answered)


def test_a_worker_has_a_mailbox_until_it_is_killed(
    broker: server.Broker, start_worker: conftest.StartWorker
) -> None:
    """Frozen or well, it is there; killed, it is not, and a neighbour that answers is."""
    look = looking(broker.url)
    first = start_worker(broker.url, name="w1")
    start_worker(broker.url, name="w2")
    deadline.wait_until(lambda: not gone(look, W1, W2), SECONDS, "both have a mailbox")

    first.pause()
    assert gone(look, W1, answered=1) == set()
    first.resume()
    first.kill()

    deadline.wait_until(lambda: gone(look, W1, answered=1) == {W1}, SECONDS, "w1 is gone")


@pytest.mark.parametrize(
    ("database", "options"),
    [
        (0, {}),
        (3, {}),
        (0, {"global_keyprefix": "shop:"}),
        (2, {"fanout_prefix": "/{db}-my."}),
        (0, {"fanout_prefix": False}),
    ],
)
def test_the_channel_of_redis_is_that_of_the_workers(
    redis_server: redis.RedisServer,
    start_worker: conftest.StartWorker,
    database: int,
    options: dict[str, Any],
) -> None:
    """Its name follows the database and the transport options."""
    url = f"{redis_server.url.rpartition('/')[0]}/{database}"
    start_worker(url, config={"broker_transport_options": options})
    look = looking(url, **options)
    deadline.wait_until(lambda: not gone(look, W1), SECONDS, "it has a mailbox")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_an_error_and_nobody_is_gone(scheme: str) -> None:
    """What was not asked is not known."""
    look = looking(f"{scheme}://127.0.0.1:{ports.free_port()}")
    with pytest.raises(errors.BrokerError):
        gone(look, W1)


def test_a_transport_that_has_no_mailboxes_is_not_asked() -> None:
    """Of those nothing is known."""
    config = schema.Config(broker=schema.Broker(url="sqs://"))
    assert mailboxes.mailboxes_of(config) is None
