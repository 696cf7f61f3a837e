"""A RabbitMQ that blocks, refuses or is not the right one is told within a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import amqp
import pytest

from tests.integration.access import documented
from tests.integration.health import told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import conftest
    from tests.servers import daemon, rabbitmq

pytestmark = pytest.mark.xdist_group("rabbitmq-health")

_RAISE = "rabbit_alarm:set_alarm({{resource_limit, %s, node()}, []})."
_CLEAR = "rabbit_alarm:clear_alarm({resource_limit, %s, node()})."


@pytest.fixture
def watched(
    own_node: rabbitmq.RabbitServer, start_daemon: conftest.StartDaemon
) -> Callable[..., daemon.Daemon]:
    """Start a daemon on the node, with its management API unless told otherwise."""

    def start(url: str, *, management: str | None = "", **sections: Any) -> daemon.Daemon:
        broker = (
            {} if management is None else {"management_url": management or own_node.management_url}
        )
        return start_daemon(url, config=told.config(broker=broker, **sections))

    return start


@pytest.fixture
def limited(own_node: rabbitmq.RabbitServer) -> Iterator[str]:
    """Make the user of docs/broker-access.md, with its tag; return the URL with it."""
    own_node.ctl("add_user", documented.USER, documented.PASSWORD)
    own_node.ctl(
        "set_permissions", "--vhost", own_node.vhost, documented.USER, *documented.patterns()
    )
    own_node.ctl("set_user_tags", documented.USER, "management")
    yield own_node.url_for(own_node.vhost, user=documented.USER, password=documented.PASSWORD)
    own_node.ctl("delete_user", documented.USER)


@pytest.mark.parametrize("alarm", ["memory", "disk"])
def test_an_alarm(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon], alarm: str
) -> None:
    """While publishers are blocked that is what is told, with the alarm by name."""
    sentinel = watched(own_node.url)
    told.well(sentinel)
    assert told.metric(sentinel, "celery_broker_alarm", alarm=alarm) == 0
    own_node.ctl("eval", _RAISE % alarm)
    try:
        assert alarm in told.unusable(sentinel, "blocked")
        assert told.metric(sentinel, "celery_broker_alarm", alarm=alarm) == 1
        assert told.broker_of(sentinel)["condition"]["alarms"] == [alarm]
    finally:
        own_node.ctl("eval", _CLEAR % alarm)
    told.well(sentinel)


def test_a_healthy_node_tells_of_itself(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon]
) -> None:
    """An administrator sees memory, its limit, and connections."""
    sentinel = watched(own_node.url)
    told.well(sentinel)
    found = told.broker_of(sentinel)["condition"]
    assert found["product"] == "rabbitmq"
    assert found["version"] == own_node.ctl("version").strip()
    assert 0 < found["memory_used_bytes"] < found["memory_max_bytes"]
    assert 0 < found["clients"] < found["clients_max"]
    assert told.metric(sentinel, "celery_broker_info", product="rabbitmq") == 1


def test_the_documented_user_sees_alarms(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon], limited: str
) -> None:
    """With the tag management the alarms are told, and no question is refused."""
    amqp_connect(own_node).channel().exchange_declare("celeryev", "topic", durable=True)
    sentinel = watched(limited)
    own_node.ctl("eval", _RAISE % "memory")
    try:
        told.trouble(sentinel, "blocked")
    finally:
        own_node.ctl("eval", _CLEAR % "memory")
    told.eventually(
        lambda: told.metric(sentinel, "celery_broker_writable") == 1, "it takes messages again"
    )
    assert told.broker_of(sentinel)["condition"]["memory_used_bytes"] is None
    log = own_node.log.read_text(errors="replace")
    assert "HTTP access denied" not in log


def test_without_the_management_api(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon]
) -> None:
    """What cannot be known is absent: no figure, and no word on whether messages are taken."""
    sentinel = watched(own_node.url, management=None)
    told.eventually(
        lambda: told.metric(sentinel, "celery_broker_info", product="rabbitmq") == 1, "its version"
    )
    assert told.metric(sentinel, "celery_broker_writable") is None
    assert told.metric(sentinel, "celery_broker_memory_used_bytes") is None


def test_an_alarm_without_the_management_api(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon]
) -> None:
    """The broker itself says that it reads no more of our questions, if there are any workers."""
    channel = amqp_connect(own_node).channel()
    channel.exchange_declare("celery.pidbox", "fanout", auto_delete=False)
    channel.exchange_declare("reply.celery.pidbox", "direct", auto_delete=False)
    sentinel = watched(own_node.url, management=None)
    told.eventually(
        lambda: told.metric(sentinel, "celery_broker_info", product="rabbitmq") == 1, "its version"
    )
    own_node.ctl("eval", _RAISE % "disk")
    try:
        told.trouble(sentinel, "blocked")
        assert sentinel.get("/-/ready").status_code == 503
    finally:
        own_node.ctl("eval", _CLEAR % "disk")
    told.eventually(
        lambda: told.metric(sentinel, "celery_broker_trouble", reason="blocked") in {0, None},
        "it takes messages again",
    )
    told.eventually(lambda: sentinel.get("/-/ready").status_code == 200, "ready")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (lambda node: node.url_for(node.vhost, user="nobody"), "authentication"),
        (lambda node: node.url_for("nowhere"), "not_found"),
    ],
    ids=["password", "virtual host"],
)
def test_a_refused_connection(
    own_node: rabbitmq.RabbitServer,
    watched: Callable[..., daemon.Daemon],
    url: Callable[[rabbitmq.RabbitServer], str],
    reason: str,
) -> None:
    """Why it is refused has its own word, for the stream and for the polls."""
    sentinel = watched(url(own_node), management=None)
    told.trouble(sentinel, reason)
    told.eventually(
        lambda: (
            (
                told.metric(
                    sentinel, "celery_sentinel_poll_failures_total", poller="queues", reason=reason
                )
                or 0
            )
            > 0
        ),
        "polls are counted by the reason",
    )


def test_a_limit_on_connections(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon]
) -> None:
    """A virtual host that takes no more connections is told as a limit."""
    own_node.ctl("set_vhost_limits", "--vhost", own_node.vhost, '{"max-connections": 1}')
    told.trouble(watched(own_node.url, management=None), "limit")


def test_no_rights(
    own_node: rabbitmq.RabbitServer, watched: Callable[..., daemon.Daemon], limited: str
) -> None:
    """A user who may do nothing is told so, with where to read of it."""
    own_node.ctl("set_permissions", "--vhost", own_node.vhost, documented.USER, "^$", "^$", "^$")
    sentinel = watched(limited, management=None)
    told.trouble(sentinel, "no_rights")
    assert "broker-access.md" in told.notes_of(sentinel)


def test_workers_are_in_another_virtual_host(
    own_node: rabbitmq.RabbitServer,
    watched: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """The management API tells where workers are; without it, that nobody has been here."""
    start_worker(own_node.url)
    there = own_node.vhost
    here = own_node.fresh_vhost()
    sentinel = watched(own_node.url)
    expected = f"Workers are in virtual host {there}, and this daemon watches {here}"
    told.eventually(lambda: expected in told.notes_of(sentinel), "a note names the virtual host")

    without = watched(own_node.url, management=None)
    expected = f"Virtual host {here}, which this daemon watches, has no exchange celery"
    told.eventually(lambda: expected in told.notes_of(without), "a note doubts the virtual host")

    start_worker(own_node.url, name="w2")
    for one in (sentinel, without):
        told.eventually(lambda s=one: "heard yet" not in told.notes_of(s), "the notes are gone")


def test_workers_use_another_exchange(
    own_node: rabbitmq.RabbitServer,
    watched: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Workers that are there and not heard are told to send their events elsewhere."""
    start_worker(own_node.url, config={"event_exchange": "shopev"})
    sentinel = watched(own_node.url)
    told.eventually(
        lambda: "compare events.exchange" in told.notes_of(sentinel), "a note names the setting"
    )


def amqp_connect(node: rabbitmq.RabbitServer) -> amqp.Connection:
    """Connect as guest to the current virtual host."""
    connection = amqp.Connection(f"127.0.0.1:{node.port}", virtual_host=node.vhost)
    connection.connect()
    return connection
