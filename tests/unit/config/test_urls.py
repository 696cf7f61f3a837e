"""Which broker URLs are accepted, and that a refusal shows nothing of a password."""

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


_PASSWORDS = strategies.text(
    strategies.characters(codec="utf-8", exclude_characters="\n"), min_size=8
).map(lambda text: f"Zq7{text}7qZ")


@hypothesis.given(
    _PASSWORDS,
    strategies.sampled_from(
        ["redis://:{}@host/0", "amqp://u:{}@h/v", "reds://:{}@h", "u:{}@h", "redis://:{}", "{}"]
    ),
)
def test_a_refusal_shows_no_password(password: str, form: str) -> None:
    """Whatever is in the password, and wherever it makes the URL break, it is not shown."""
    told = ""
    try:
        urls.check(form.format(password))
    except ValueError as error:
        told = str(error)
    assert "Zq7" not in told
    assert "7qZ" not in told
