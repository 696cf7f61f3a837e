"""Brokers that ask for our certificate, and brokers whose certificate is for another host."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from celery_sentinel.config import schema
from tests.integration.access import parts
from tests.servers import ports

if TYPE_CHECKING:
    from tests import conftest
    from tests.servers import certificates, rabbitmq, redis

_ALL = set(parts.PARTS)
_MISMATCH = "127.0.0.2"
_REFUSED = re.compile("certificate required|EOF occurred|closed|reset by peer|Broken pipe")


@pytest.fixture
def strict_redis(
    start_redis: conftest.StartRedis, tls: certificates.Certificates
) -> redis.RedisServer:
    """Start a Redis that insists on certificates, also on 127.0.0.2, which its own is not for."""
    return start_redis(
        certificates=tls,
        extra_args=("--tls-auth-clients", "yes", "--bind", "127.0.0.1", "127.0.0.2"),
    )


def _refusals(url: str, worker: str, tls: certificates.Certificates, **section: Any) -> Any:
    certified = {"cert_file": str(tls.cert_file), "key_file": str(tls.key_file)}
    section = {"ca_file": str(tls.ca_file), **certified, **section}
    given = {key: value for key, value in section.items() if value is not None}
    return parts.Parts(url, tls=schema.Tls(**given)).refusals(worker)


def test_redis(
    strict_redis: redis.RedisServer,
    tls: certificates.Certificates,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Over rediss:// all parts present our certificate, and look at the name in the server's."""
    worker = start_worker(strict_redis.url).hostname
    make_producer(strict_redis.url).send("quick", queue=parts.QUEUE)
    url = strict_redis.tls_url
    elsewhere = url.replace("127.0.0.1", "127.0.0.2")

    assert _refusals(url, worker, tls) == {}
    assert _refusals(elsewhere, worker, tls, verify_hostname=False) == {}
    named = _refusals(elsewhere, worker, tls)
    assert named.keys() == _ALL
    assert all("certificate" in text and _MISMATCH in text for text in named.values()), named
    without = _refusals(url, worker, tls, cert_file=None, key_file=None)
    assert without.keys() == _ALL
    # With TLS 1.3 a server refuses after the handshake: who writes first sees a closed line.
    assert all(_REFUSED.search(text) for text in without.values()), without


@pytest.mark.xdist_group("rabbitmq")
def test_rabbitmq(
    strict_node: rabbitmq.RabbitServer,
    strict_address: str,
    tls: certificates.Certificates,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Over amqps:// all parts present our certificate, and look at the name in the server's."""
    strict_node.fresh_vhost()
    before, _, after = strict_node.tls_url.partition("@")
    elsewhere = f"{before}@{strict_address}/{after.partition('/')[2]}"
    worker = start_worker(strict_node.url).hostname
    make_producer(strict_node.url).send("quick", queue=parts.QUEUE)

    assert _refusals(strict_node.tls_url, worker, tls) == {}
    assert _refusals(elsewhere, worker, tls, verify_hostname=False) == {}
    named = _refusals(elsewhere, worker, tls)
    assert named.keys() == _ALL - {"discovery"}
    assert all("certificate" in text and _MISMATCH in text for text in named.values()), named
    without = _refusals(strict_node.tls_url, worker, tls, cert_file=None, key_file=None)
    assert without.keys() == _ALL - {"discovery"}
    # With TLS 1.3 a server refuses after the handshake: who writes first sees a closed line.
    assert all(_REFUSED.search(text) for text in without.values()), without


@pytest.mark.xdist_group("rabbitmq")
def test_rabbitmq_fails_over(
    strict_node: rabbitmq.RabbitServer,
    strict_address: str,
    tls: certificates.Certificates,
    start_worker: conftest.StartWorker,
    make_producer: conftest.MakeProducer,
) -> None:
    """Of several brokers all parts look for the name of the one they speak to, and no other."""
    strict_node.fresh_vhost()
    before, _, after = strict_node.tls_url.partition("@")
    address, _, vhost = after.partition("/")
    worker = start_worker(strict_node.url).hostname
    make_producer(strict_node.url).send("quick", queue=parts.QUEUE)
    dead = ports.free_port()

    def fail_over(first: str, second: str) -> Any:
        urls = (f"{before}@{first}:{dead}/{vhost}", f"{before}@{second}/{vhost}")
        return _refusals(";".join(urls), worker, tls)

    assert fail_over(_MISMATCH, address) == {}
    impostor = fail_over("127.0.0.1", strict_address)
    assert impostor.keys() == _ALL - {"discovery"}
    assert all("certificate" in text and _MISMATCH in text for text in impostor.values()), impostor
