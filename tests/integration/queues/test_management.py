"""RabbitMQ's management API tells more, and costs nothing of the rest when it does not."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import amqp
import pytest

from celery_sentinel.brokers.amqp import management_api, url as amqp_url
from celery_sentinel.config import schema
from tests.integration.queues import look
from tests.servers import ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests import conftest
    from tests.servers import certificates, daemon, rabbitmq

pytestmark = pytest.mark.xdist_group("rabbitmq-management")

UNACKED = "celery_queue_unacked"
SUCCESS = "celery_sentinel_poll_success"


def test_what_workers_hold_is_unacked(
    managed_server: rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Messages a worker has prefetched are unacked in their queue, and in no other."""
    sentinel = watch(managed_server.url, broker={"management_url": managed_server.management_url})
    start_worker(managed_server.url, concurrency=1)
    sending = make_producer(managed_server.url)
    for _ in range(10):
        sending.send("slow", 600.0)
    sending.send("quick", queue="idle")

    def found() -> list[float | None]:
        unacked = look.value(sentinel, UNACKED, queue_name="celery")
        return [unacked, look.length(sentinel, "celery")]

    # One runs and has been acknowledged, and the worker prefetches four.
    look.eventually(lambda: found() == [4, 5], "four are held, five wait")
    look.eventually(lambda: look.value(sentinel, UNACKED, queue_name="idle") == 0, "none is held")


def test_queues_nobody_told_us_of_are_found(
    managed_server: rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    start_worker: conftest.StartWorker,
) -> None:
    """Every queue that may hold tasks is listed; those of single clients are not."""
    channel = connect(managed_server).channel()
    channel.queue_declare("forgotten", durable=True, auto_delete=False)
    channel.queue_declare("6c2ee8fa-5ea4-3f40-8b1d-0f7e2a9c1234", auto_delete=False)  # rpc://
    channel.queue_declare("", exclusive=True)
    channel.queue_declare("mine", exclusive=True)
    start_worker(managed_server.url)
    sentinel = watch(
        managed_server.url,
        broker={"management_url": managed_server.management_url},
        queues={"ignore": []},
    )

    found = {"queue_name": "forgotten", "source": "management"}
    look.eventually(lambda: look.value(sentinel, "celery_queue_info", **found), "it is found")
    look.eventually(lambda: look.length(sentinel, "celery") == 0, "the worker's queue is polled")
    look.polled(sentinel, times=3)
    names = look.labels_of(sentinel, "celery_queue_info", "queue_name")
    assert names == {"forgotten", "celery"}


def test_all_pages_are_read(managed_server: rabbitmq.RabbitServer) -> None:
    """More queues than fit on a page are all found, each once."""
    names = [f"queue{n}" for n in range(25)]
    channel = connect(managed_server).channel()
    for name in names:
        channel.queue_declare(name, auto_delete=False)
    broker = schema.Broker(url=managed_server.url)

    found = listed(managed_server.management_url, broker, page_size=4)

    assert sorted(found) == sorted(names)


def test_it_works_over_tls(
    managed_server: rabbitmq.RabbitServer, tls: certificates.Certificates
) -> None:
    """With the authority in broker.tls the certificate is good; user and password are its own."""
    connect(managed_server).channel().queue_declare("shop", auto_delete=False)
    broker = schema.Broker(
        url=managed_server.url_for(managed_server.vhost, user="other", password="other"),  # noqa: S106 - a test's own
        tls=schema.Tls(ca_file=str(tls.ca_file)),
    )
    url = managed_server.management_tls_url.replace("//", "//guest:guest@")

    assert listed(url, broker) == ["shop"]


def test_its_tls_is_its_own(
    managed_server: rabbitmq.RabbitServer, tls: certificates.Certificates
) -> None:
    """A private authority for https turns on no TLS for the broker; /api at the end is accepted."""
    connect(managed_server).channel().queue_declare("shop", auto_delete=False)
    broker = schema.Broker(
        url=managed_server.url, management_tls=schema.Tls(ca_file=str(tls.ca_file))
    )

    for end in ("", "/", "/api", "/api/"):
        assert listed(managed_server.management_tls_url + end, broker) == ["shop"]


def test_a_user_without_a_tag_is_told_what_lacks(managed_server: rabbitmq.RabbitServer) -> None:
    """RabbitMQ answers as it does to a wrong password."""
    managed_server.ctl("add_user", "untagged", "sesame")
    try:
        url = managed_server.management_url.replace("//", "//untagged:sesame@")
        api = management_api.ManagementApi(
            url, schema.Broker(url=managed_server.url), event_prefix="celeryev"
        )
        api.refresh()
        assert api.trouble is not None
        assert "set_user_tags" in api.trouble
    finally:
        managed_server.ctl("delete_user", "untagged")


def test_a_virtual_host_with_a_slash(managed_server: rabbitmq.RabbitServer) -> None:
    """Its queues are listed, and what is unacknowledged in them is known."""
    managed_server.ctl("add_vhost", "a/b")
    try:
        managed_server.ctl("set_permissions", "-p", "a/b", "guest", ".*", ".*", ".*")
        url = managed_server.url_for("a/b")
        arguments = amqp_url.addresses(schema.Broker(url=url))[0]
        with amqp.Connection(**arguments) as connection:
            channel = connection.channel()
            channel.queue_declare("shop", auto_delete=False)
            channel.basic_publish(amqp.Message("x"), "", "shop")
            channel.basic_get("shop", no_ack=False)

            def unacked() -> dict[str, int]:
                api = management_api.ManagementApi(
                    managed_server.management_url, schema.Broker(url=url), event_prefix="celeryev"
                )
                api.refresh()
                assert api.trouble is None
                return api.unacked

            look.eventually(lambda: unacked() == {"shop": 1}, "it is known")
    finally:
        managed_server.ctl("delete_vhost", "a/b")


@pytest.mark.parametrize(
    "case",
    [
        ("wrong password", "HTTP status 401: user and password are refused"),
        ("unknown authority", "certificate verify failed"),
        ("nobody there", "refused"),
        ("no answer", "timed out"),
    ],
    ids=lambda case: case[0],
)
def test_without_an_answer_depths_are_read_on(
    case: tuple[str, str],
    broken_apis: dict[str, str],
    managed_server: rabbitmq.RabbitServer,
    watch: Callable[..., daemon.Daemon],
    make_producer: conftest.MakeProducer,
) -> None:
    """The poll says that it fails and why, without a secret; lengths and consumers stay."""
    name, words = case
    url = broken_apis[name].replace("//", "//guest:hunter2@")
    sentinel = watch(managed_server.url, broker={"management_url": url}, queues={"watch": ["shop"]})
    make_producer(managed_server.url).send("quick", queue="shop")

    look.eventually(lambda: look.length(sentinel, "shop") == 1, "it is counted")
    look.eventually(lambda: look.value(sentinel, SUCCESS, poller="queues") == 0, "it says so")
    assert look.value(sentinel, UNACKED) is None
    look.becomes(sentinel, 0, "celery_queue_consumers", queue_name="shop")
    look.eventually(lambda: sentinel.stderr_text.count("poll_failing"), "the log says so")
    assert sentinel.stderr_text.count("poll_failing") == 1
    assert words in sentinel.stderr_text
    shown = [sentinel.get(path).text for path in ("/", "/metrics", "/api/v1/status")]
    assert not any("hunter2" in text for text in (*shown, sentinel.stderr_text))


def test_an_answer_without_end_is_given_up(endless_server: str) -> None:
    """A server that drips byte after byte costs three seconds, and then nothing for a while."""
    api = management_api.ManagementApi(
        endless_server, schema.Broker(url="amqp://localhost"), event_prefix="celeryev"
    )
    late = "management API: no complete answer within 3 s"

    api.refresh()

    assert api.trouble == late
    api.refresh()
    assert api.trouble == late  # asked again, the server would not even have begun to answer


def listed(url: str, broker: schema.Broker, **options: int) -> list[str]:
    """Return the queues that the API lists; asks again if it does not answer in three seconds."""

    def found() -> list[str]:
        api = management_api.ManagementApi(url, broker, event_prefix="celeryev", **options)
        api.refresh()
        return api.names

    return look.eventually(found, "the API answers")


def test_it_is_sent_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an answer nor a variable of proxies leads to an address that no setting names."""
    with (
        socket.create_server(("127.0.0.1", 0)) as elsewhere,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        away = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, away)
        thread = threading.Thread(target=redirect, args=(listening, away), daemon=True)
        thread.start()
        api = management_api.ManagementApi(
            f"http://127.0.0.1:{listening.getsockname()[1]}",
            schema.Broker(url="amqp://localhost"),
            event_prefix="celeryev",
        )

        api.refresh()

        thread.join(60)
        assert api.trouble is not None
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def redirect(listening: socket.socket, away: str) -> None:
    """Answer one request with another address."""
    plug, _ = listening.accept()
    with plug:
        plug.recv(65536)
        plug.sendall(
            f"HTTP/1.1 302 Found\r\nLocation: {away}\r\nContent-Length: 0\r\n\r\n".encode()
        )


def connect(server: rabbitmq.RabbitServer) -> amqp.Connection:
    """Return a connection to the server's current virtual host."""
    connection = amqp.Connection(
        f"127.0.0.1:{server.port}",
        userid="guest",
        password="guest",  # noqa: S106 - RabbitMQ's own default
        virtual_host=server.vhost,
    )
    connection.connect()
    return connection


@pytest.fixture
def broken_apis(managed_server: rabbitmq.RabbitServer) -> Iterator[dict[str, str]]:
    """Return management URLs that will not do, without the password, which is wrong."""
    nobody = f"http://127.0.0.1:{ports.free_port()}"
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield {
            "wrong password": managed_server.management_url,
            "unknown authority": managed_server.management_tls_url,
            "nobody there": nobody,
            "no answer": f"http://127.0.0.1:{mute.getsockname()[1]}",
        }


@pytest.fixture
def endless_server() -> Iterator[str]:
    """Answer with a body that never ends, a byte each half second."""
    over = threading.Event()

    def drip(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):
            plug, _ = listening.accept()
            with plug:
                plug.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not over.wait(0.5):
                    plug.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        over.set()
        thread.join(60)
