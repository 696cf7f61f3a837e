"""What a real kombu publishes on a real Redis is what we listen to, whatever the options."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import celery
import kombu
import pytest
from celery import events as celery_events

from celery_sentinel import errors
from celery_sentinel.brokers.redis import events as redis_events
from celery_sentinel.config import schema
from celery_sentinel.events import decoding
from tests.servers import deadline

if TYPE_CHECKING:
    import contextlib

    from celery_sentinel.events.event import Event
    from tests import conftest
    from tests.servers import certificates, redis as redis_servers, redis_sentinel

EXCHANGE = "celeryev"
TYPES = ["task-sent", "worker-heartbeat", "task-received", "task-started"]


class Publisher:
    """Celery's dispatcher on a connection of its own."""

    def __init__(self, url: str, options: dict[str, Any], exchange: str = EXCHANGE) -> None:
        self._app = celery.Celery("publisher", broker=url, set_as_current=False)
        self._app.conf.event_exchange = exchange
        self._connection = kombu.Connection(url, transport_options=options)

    def publish(self) -> str:
        """Send a task-sent, a heartbeat, and a batch of two; return the id of their task."""
        task_id = str(uuid.uuid4())
        arguments = {"app": self._app, "hostname": "w1@host", "buffer_while_offline": False}
        with celery_events.EventDispatcher(self._connection, **arguments) as single:
            single.send("task-sent", uuid=task_id, name="shop.pay")
            single.send("worker-heartbeat", freq=2.0)
        with celery_events.EventDispatcher(
            self._connection, buffer_group={"task"}, **arguments
        ) as batches:
            batches.send("task-received", uuid=task_id)
            batches.send("task-started", uuid=task_id)
            batches.flush()
        return task_id

    def close(self) -> None:
        """Close the connections."""
        self._connection.release()
        self._app.close()


class Listener:
    """Our stream on Redis, connected."""

    def __init__(
        self,
        url: str,
        options: dict[str, Any] | None = None,
        *,
        exchange: str = EXCHANGE,
        tls: schema.Tls | None = None,
    ) -> None:
        broker = schema.Broker(url=url, transport_options=options or {}, tls=tls)
        config = schema.Config(broker=broker, events=schema.Events(exchange=exchange))
        self.decoder = decoding.Decoder()
        self._stream = redis_events.RedisStream(config, self.decoder)
        self._stream.connect()
        self._found: list[Event] = []

    def hear(self, count: int = len(TYPES)) -> list[Event]:
        """Wait for that many events and return all that came."""

        def heard() -> bool:
            self._found += self._stream.read()
            return len(self._found) >= count

        deadline.wait_until(heard, 60.0, f"{count} events")
        found, self._found = self._found, []
        return found

    def close(self) -> None:
        """Drop the connection."""
        self._stream.close()


@pytest.fixture
def meet(closing: contextlib.ExitStack) -> Any:
    """Connect a listener, then a publisher, each with the URL it is given."""

    def start(
        url: str, options: dict[str, Any] | None = None, *, exchange: str = EXCHANGE, **ours: Any
    ) -> tuple[Listener, Publisher]:
        listener = Listener(ours.pop("our_url", url), options, exchange=exchange, **ours)
        closing.callback(listener.close)
        publisher = Publisher(url, options or {}, exchange)
        closing.callback(publisher.close)
        return listener, publisher

    return start


def _assert_met(listener: Listener, publisher: Publisher) -> None:
    """Two rounds: what is in excess of the first would come before the second."""
    for _ in range(2):
        task_id = publisher.publish()
        found = listener.hear()
        assert [event.type for event in found] == TYPES
        assert {event.uuid for event in found if event.uuid} == {task_id}
    assert not sum(listener.decoder.rejected.values())


@pytest.mark.parametrize("database", [0, 3])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"global_keyprefix": "pfx:"},
        {"global_keyprefix": "*[a]?\\"},
        {"fanout_prefix": False},
        {"fanout_prefix": "/my."},
        {"fanout_prefix": "/{db}-my."},
        {"fanout_prefix": "/{db:03}*?[z]\\"},
        {"fanout_patterns": False},
        {"fanout_patterns": False, "fanout_prefix": False, "global_keyprefix": "pfx:"},
        {"body_encoding": None},
    ],
    ids=repr,
)
def test_each_option_of_the_transport(
    redis_server: redis_servers.RedisServer, meet: Any, options: dict[str, Any], database: int
) -> None:
    """Each event is heard exactly once, whatever prefix it is published under."""
    _assert_met(*meet(redis_server.url_for(database), options))


@pytest.mark.parametrize("exchange", ["myevents", "a[b-z]*?", "back\\slash", "^a", "with space"])
@pytest.mark.parametrize("patterns", [True, False])
def test_exchanges_of_any_name(
    redis_server: redis_servers.RedisServer, meet: Any, exchange: str, *, patterns: bool
) -> None:
    """A name that holds what Redis takes for wildcards means only itself."""
    options = {"fanout_patterns": patterns}
    _assert_met(*meet(redis_server.url, options, exchange=exchange))


def test_others_on_the_same_server(redis_server: redis_servers.RedisServer, meet: Any) -> None:
    """Events of other databases, prefixes and exchanges do not reach us."""
    listener, ours = meet(redis_server.url_for(3))
    others = [
        meet(redis_server.url_for(4))[1],
        meet(redis_server.url_for(3), {"global_keyprefix": "x"})[1],
        meet(redis_server.url_for(3), {"fanout_prefix": "/33."})[1],
        meet(redis_server.url_for(3), exchange="celeryev2")[1],
        meet(redis_server.url_for(3), exchange="celery?v")[1],
    ]
    for other in others:
        other.publish()
    task_id = ours.publish()
    found = listener.hear()
    assert [event.type for event in found] == TYPES
    assert {event.uuid for event in found if event.uuid} == {task_id}


def test_a_wildcard_in_our_exchange_hears_nobody_else(
    redis_server: redis_servers.RedisServer, meet: Any
) -> None:
    """An exchange called ``celery*`` is not all exchanges that begin with celery."""
    listener, ours = meet(redis_server.url, exchange="celery*")
    _, other = meet(redis_server.url)
    other.publish()
    task_id = ours.publish()
    assert {event.uuid for event in listener.hear() if event.uuid} == {task_id}


@pytest.mark.parametrize("query", ["", "?virtual_host=3"])
def test_a_unix_socket(start_redis: conftest.StartRedis, meet: Any, query: str) -> None:
    """Over the unix socket, with a password and a database, all is as over TCP."""
    server = start_redis(password="p@ss/w:rd%")  # noqa: S106 -- for this server alone
    _assert_met(*meet(server.socket_url + query))
    tcp = server.url_for(3 if query else 0)
    _assert_met(*meet(tcp, our_url=server.socket_url + query))


def test_a_user_with_the_oddest_name(redis_server: redis_servers.RedisServer, meet: Any) -> None:
    """User and password are decoded from the URL; the rights of a listener are enough."""
    with redis_server.client() as client:
        client.acl_setuser(
            "us@er:/",
            enabled=True,
            passwords=["+p?w#%;ü"],
            # A pattern is only allowed if it is literally among the user's.
            channels=["/3.celeryev/*", "/3.celeryev"],
            commands=["+psubscribe", "+subscribe", "+select", "+client", "+ping", "+hello"],
        )
    url = f"redis://us%40er%3A%2F:p%3Fw%23%25%3B%C3%BC@127.0.0.1:{redis_server.port}/3"
    _assert_met(*meet(redis_server.url_for(3), our_url=url))


def test_a_user_without_the_right_to_the_channel(
    redis_server: redis_servers.RedisServer, meet: Any
) -> None:
    """A refusal of the server is a broken stream with the server's words, without ours."""
    with redis_server.client() as client:
        client.acl_setuser("deaf", enabled=True, passwords=["+hidden"], commands=["+@all"])
    with pytest.raises(errors.BrokerError, match=r"(?i)permission") as caught:
        meet(f"redis://deaf:hidden@127.0.0.1:{redis_server.port}/3")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [
        "?ssl_cert_reqs=none",
        "?ssl_cert_reqs=CERT_NONE",
        "?ssl_cert_reqs=required&ssl_ca_certs={ca}",
        "?ssl_ca_certs={ca}&ssl_check_hostname=false",
    ],
)
@pytest.mark.parametrize("scheme", ["rediss", "redis"])
def test_tls(
    start_redis: conftest.StartRedis,
    meet: Any,
    tls: certificates.Certificates,
    query: str,
    scheme: str,
) -> None:
    """With ssl_ options kombu encrypts even redis://, and so do we."""
    server = start_redis(certificates=tls)
    url = server.tls_url.replace("rediss", scheme) + query.format(ca=tls.ca_file)
    _assert_met(*meet(url))


def test_tls_that_cannot_be_verified(
    start_redis: conftest.StartRedis, meet: Any, tls: certificates.Certificates
) -> None:
    """A certificate nobody vouches for is refused; the section ``broker.tls`` can vouch."""
    server = start_redis(certificates=tls)
    with pytest.raises(errors.BrokerError, match="certificate"):
        meet(server.tls_url)
    vouching = schema.Tls(ca_file=str(tls.ca_file))
    _assert_met(*meet(server.tls_url, tls=vouching))


@pytest.mark.parametrize("lists", ["{0}/0;{0}/0", "{0}/3;{0}", "{0};{0}/3", "{0};{0};{0}/3"])
@pytest.mark.parametrize(
    "options",
    [{}, {"sentinel_fanout_compat": True}, {"global_keyprefix": "pfx:"}, {"fanout_prefix": "/my."}],
    ids=repr,
)
def test_behind_sentinel(
    redis_behind_sentinel: redis_sentinel.RedisSentinel,
    meet: Any,
    lists: str,
    options: dict[str, Any],
) -> None:
    """Wherever the list names a database, each event is heard exactly once."""
    url = lists.format(f"sentinel://127.0.0.1:{redis_behind_sentinel.port}")
    _assert_met(*meet(url, {**redis_behind_sentinel.transport_options, **options}))


def test_a_worker_that_moved_on_to_another_sentinel(
    redis_behind_sentinel: redis_sentinel.RedisSentinel, meet: Any
) -> None:
    """A kombu that has given up the first sentinel publishes under the second's database."""
    port, options = redis_behind_sentinel.port, redis_behind_sentinel.transport_options
    both = f"sentinel://127.0.0.1:{port};sentinel://localhost:{port}/3"
    listener, publisher = meet(f"sentinel://localhost:{port}/3", options, our_url=both)
    _assert_met(listener, publisher)
