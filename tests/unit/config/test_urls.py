"""Which URLs are accepted, and that a refusal shows nothing of a password."""

from __future__ import annotations

import re

import hypothesis
import pytest
from hypothesis import strategies
from kombu import transport

from celery_sentinel.config import urls


@pytest.mark.parametrize(
    "url",
    [
        "redis://",
        "redis://localhost",
        "redis://localhost:6379/0",
        "redis://user:p%40ss@[::1]:6379/15?health_check_interval=5",
        "rediss://:pw@host:6380/1?ssl_cert_reqs=CERT_REQUIRED",
        "redis+socket:///run/redis.sock?virtual_host=3",
        "sentinel://:pw@one:26379;sentinel://two:26379/0",
        "amqp://",
        "amqp://guest:guest@host:5672//",
        "amqps://u:p@host/vhost?heartbeat=10",
        "amqp://u:p@host/my@vhost",
        "amqp://one;amqps://two",
        "pyamqp://host",
        "memory://",
        "filesystem://localhost//",
        "sqs://key:secret@",
        "sqla+postgresql://u:p@host/db",
        "mongodb://one:1,two:2/celery",
    ],
)
def test_what_kombu_takes_is_accepted(url: str) -> None:
    """URLs of all transports, several of them too, are accepted."""
    urls.check(url)


@pytest.mark.parametrize("scheme", sorted(transport.TRANSPORT_ALIASES))
def test_every_transport_of_kombu_is_supported(scheme: str) -> None:
    """No transport kombu has a name for is refused."""
    urls.check(f"{scheme}://")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is empty"),
        ("redis://host;", "has no scheme"),
        ("localhost:6379", "has no scheme"),
        ("://host", "has no scheme"),
        ("http://host", "has the scheme 'http'"),
        ("REDIS://host", "did you mean redis"),
        ("redis+tls://host", "has the scheme 'redis+tls'"),
        ("redis://host:port", "cannot be read"),
        ("redis://host:70000", "cannot be read"),
        ("redis://[::1", "cannot be read"),
        ("redis://host:0", "port 0"),
        ("redis://host/a", "no database number"),
        ("redis://host/-1", "no database number"),
        ("redis://:12?4@host", "# or @"),
        ("redis://host\n", "white space"),
        ("redis://ho\x00st", "white space"),
        ("memory://;redis://", "mixes memory and redis"),
    ],
)
def test_what_cannot_work_is_refused(url: str, words: str) -> None:
    """Each kind of mistake has words of its own."""
    with pytest.raises(ValueError, match=re.escape(words)):
        urls.check(url)


@pytest.mark.parametrize(
    ("url", "broker_url"),
    [
        ("redis://:p%40ss@host/3", "amqp://"),
        ("rediss://host", "amqp://"),
        ("redis+socket:///run/redis.sock", "amqp://"),
        ("sentinel://one;sentinel://two", "amqp://"),
        ("rpc://", "amqp://"),
        ("rpc://", "pyamqp://host"),
        ("rpc://", "sentinel://host"),
        ("db+postgresql+psycopg://u:p@host/db", "sqs://"),
        ("db+sqlite:////a path/results.sqlite", "redis://"),
    ],
)
def test_result_backends_as_celery_writes_them(url: str, broker_url: str) -> None:
    """The kinds that can be watched are accepted beside any broker they fit."""
    urls.check_result_backend(url, broker_url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "has no scheme"),
        ("redis", "has no scheme"),
        ("db+", "has no scheme"),
        ("redis://host/results", "no database number"),
        ("redis://host:0", "port 0"),
        ("rpc://host", "names a host"),
        ("amqp://host", "has the scheme 'amqp'"),
        ("cache+memcached://host", "has the scheme 'cache+memcached'"),
        ("elasticsearch://host", "leave the section result_backend out"),
    ],
)
def test_result_backends_that_cannot_be_watched(url: str, words: str) -> None:
    """Another kind, or another mistake, has words of its own."""
    with pytest.raises(ValueError, match=re.escape(words)):
        urls.check_result_backend(url, "redis://")


@pytest.mark.parametrize(
    "url", ["http://localhost:15672", "https://u:p%40ss@rabbit.example/proxied/", "http://[::1]:1"]
)
def test_management_apis(url: str) -> None:
    """An HTTP address is accepted with a user, a port and a path."""
    urls.check_management(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is none of HTTP"),
        ("localhost:15672", "is none of HTTP"),
        ("ftp://host", "is none of HTTP"),
        ("http://", "has no host"),
        ("http:///api", "has no host"),
        ("http://host:port", "cannot be read"),
        ("http://host:0", "port 0"),
        ("http://host/#/queues", "# or @"),
        ("http://host/?a=b", "has a ?"),
        ("http://ho st", "white space"),
    ],
)
def test_what_is_no_management_api(url: str, words: str) -> None:
    """Each mistake in the management URL has words of its own."""
    with pytest.raises(ValueError, match=re.escape(words)):
        urls.check_management(url)


_PASSWORDS = strategies.text(
    strategies.characters(codec="utf-8", exclude_characters="\n"), min_size=8
).map(lambda text: f"Zq7{text}7qZ")


@hypothesis.given(
    _PASSWORDS,
    strategies.sampled_from(
        [
            "redis://:{}@host/0",
            "http://u:{}@h/",
            "db+a://u:{}@h/v",
            "amqp://u:{}@h/v",
            "reds://:{}@h",
            "u:{}@h",
            "redis://:{}",
            "{}",
        ]
    ),
)
def test_a_refusal_shows_no_password(password: str, form: str) -> None:
    """Whatever is in the password, and wherever it makes the URL break, it is not shown."""
    url = form.format(password)
    for check in (urls.check, urls.check_management, _check_result_backend):
        told = ""
        try:
            check(url)
        except ValueError as error:
            told = str(error)
        assert "Zq7" not in told
        assert "7qZ" not in told


def _check_result_backend(url: str) -> None:
    urls.check_result_backend(url, "redis://")
