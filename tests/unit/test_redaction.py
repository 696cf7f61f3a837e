"""What is shown of URLs, settings and texts that hold secrets."""

from __future__ import annotations

import json
import urllib.parse

import hypothesis
import pytest
from hypothesis import strategies

from celery_sentinel import redaction
from celery_sentinel.config import schema


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("memory://", "memory://"),
        ("filesystem://localhost//", "filesystem://localhost//"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://:hunter2@host:1/0", "redis://:***@host:1/0"),
        ("redis://hunter2@host", "redis://***@host"),
        ("amqp://user:p%40ss@host/vhost", "amqp://user:***@host/vhost"),
        ("amqp://u:a@one/v;amqp://u:b@two/v", "amqp://u:***@one/v;amqp://u:***@two/v"),
        ("redis://:a;b@host/0", "redis://:***@host/0"),
        ("redis://h?ssl_password=x&a=b&token=y", "redis://h?ssl_password=***&a=b&token=***"),
        ("redis+socket:///run/s?virtual_host=1", "redis+socket:///run/s?virtual_host=1"),
        ("redis+socket:///run/s?password=abc", "redis+socket:///run/s?password=***"),
        ("redis+socket:///run/s?password=a@b", "redis+socket:///run/s?***"),
        ("mongodb://u:p@h1:1,h2:2/d?authSource=x", "mongodb://u:***@h1:1,h2:2/d?authSource=x"),
        ("redis://:p/a#s@host/0", "redis://:***@host/0"),
        ("redis://:p?ss@host/0", "redis://***?***"),
        ("redis://:p://ss@host/0", "redis://:***@host/0"),
        ("redis://:hunter2", "redis://:***"),
        ("redis://host:hunter2/0", "redis://host:***/0"),
        ("guest:hunter2@host", "guest:***@host"),
        ("nonsense", "nonsense"),
    ],
)
def test_urls_are_shown_without_passwords(url: str, shown: str) -> None:
    """What may be a password is starred, and the rest is left as it was."""
    assert redaction.redact_url(url) == shown


def test_settings_are_shown_without_secrets() -> None:
    """Structs become plain data; values under secret keys and in URLs are starred."""
    settings = {
        "broker": schema.Broker(
            url="redis://:hunter2@host/0",
            transport_options={
                "sentinel_kwargs": {"password": "hunter3", "socket_timeout": 1.5},
                "secret_access_key": ["a", "b"],
                "nodes": [{"token": 4711}, {"url": "http://u:hunter4@host"}],
                "login_token": None,
                "password_less": True,
            },
            management_url="http://u:hunter5@host:15672",
            durable_events=True,
        ),
        "ttl": schema.Seconds(300),
    }
    assert redaction.redact(settings) == {
        "broker": {
            "url": "redis://:***@host/0",
            "transport_options": {
                "sentinel_kwargs": {"password": "***", "socket_timeout": 1.5},
                "secret_access_key": "***",
                "nodes": [{"token": "***"}, {"url": "http://u:***@host"}],
                "login_token": None,
                "password_less": True,
            },
            "tls": None,
            "management_url": "http://u:***@host:15672",
            "durable_events": True,
            "control_exchange": "celery",
            "login_method": None,
            "management_tls": None,
        },
        "ttl": "5m",
    }


def test_no_key_of_the_schema_is_taken_for_a_secret() -> None:
    """The printed default configuration has no stars."""
    assert redaction.MASK not in json.dumps(
        redaction.redact(schema.Config(broker=schema.Broker(tls=schema.Tls(key_file="key.pem"))))
    )


@pytest.mark.parametrize(
    "text",
    [
        "p@s/s w\u00f6rd",
        urllib.parse.quote("p@s/s w\u00f6rd"),
        urllib.parse.quote("p@s/s w\u00f6rd", safe=""),
        urllib.parse.quote_plus("p@s/s w\u00f6rd"),
        "p%40s%2fs%20w%c3%b6rd",
        json.dumps("p@s/s w\u00f6rd")[1:-1],
        repr("p@s/s w\u00f6rd".encode())[2:-1],
    ],
)
@pytest.mark.parametrize(
    "url",
    ["redis://:p%40s%2Fs%20w%C3%B6rd@host/0", "redis+socket:///s?password=p%40s%2Fs+w%C3%B6rd"],
)
def test_a_secret_is_found_however_it_is_encoded(url: str, text: str) -> None:
    """A password written encoded in a URL is found decoded, encoded otherwise and escaped."""
    scrubber = redaction.Scrubber.of(schema.Config(broker=schema.Broker(url=url)))
    assert scrubber.scrub(f"failed: {text}!") == "failed: ***!"


def test_secrets_of_transport_options_are_found() -> None:
    """Values under keys that look secret are known at any depth, numbers too."""
    options = {"sentinel_kwargs": {"password": "hunter2"}, "keys": [{"api_key": [815, "xyz"]}]}
    scrubber = redaction.Scrubber.of(schema.Broker(transport_options=options))
    assert scrubber.scrub("hunter2 815 xyz") == "*** *** ***"


def test_a_password_with_a_semicolon_is_found_whole_and_in_parts() -> None:
    """Kombu divides such a URL where the password was meant, so both readings are secret."""
    scrubber = redaction.Scrubber.of({"url": "redis://:hunter;two22@host"})
    assert scrubber.scrub("hunter;two22, redis://:hunter") == "***, redis://:***"


def test_userinfo_of_any_url_is_starred() -> None:
    """A URL in a text loses its password even when nobody told us of it, short ones too."""
    scrubber = redaction.Scrubber(())
    assert scrubber.scrub("to amqp://u:p@h/v, redis://x@h and http://h/@") == (
        "to amqp://u:***@h/v, redis://***@h and http://h/@"
    )


@pytest.mark.parametrize("secret", ["", "a", "ab", "***", "*****"])
def test_short_secrets_do_not_turn_texts_into_stars(secret: str) -> None:
    """Secrets of less than three characters, or of stars only, are not looked for in texts."""
    assert redaction.Scrubber([secret]).scrub("ab *** abacus") == "ab *** abacus"


def test_the_longest_secret_goes_first() -> None:
    """A secret that begins with another one leaves no rest behind."""
    assert redaction.Scrubber(["hunter", "hunter2"]).scrub("hunter2") == "***"


_SECRETS = strategies.lists(
    strategies.text(min_size=3).filter(lambda text: set(text) != {"*"}), min_size=1, max_size=4
)


@hypothesis.given(_SECRETS, strategies.data())
def test_no_registered_secret_gets_through(secrets: list[str], data: strategies.DataObject) -> None:
    """However secrets and other text are mixed, none of three characters or more is left."""
    pieces = strategies.sampled_from(secrets) | strategies.text(max_size=5)
    text = "".join(data.draw(strategies.lists(pieces, max_size=12)))
    scrubbed = redaction.Scrubber(secrets).scrub(text)
    assert [secret for secret in secrets if secret in scrubbed] == []


@hypothesis.given(
    strategies.text(strategies.characters(codec="utf-8"), min_size=1),
    strategies.sampled_from(["", "://", "redis://", "amqp://u:", "?", "@", ";a://"]),
)
def test_redacting_and_scrubbing_take_any_text(text: str, before: str) -> None:
    """Nothing that a URL may be made of makes redaction fail."""
    redaction.redact_url(before + text)
    redaction.Scrubber.of({"url": before + text, "password": text}).scrub(text)


@hypothesis.given(strategies.text(strategies.characters(codec="utf-8")).map(lambda t: f"Zq7{t}7qZ"))
def test_no_part_of_a_password_is_shown(password: str) -> None:
    """Whatever characters a password has, encoded or not, its ends are not shown."""
    for form in ("redis://:{}@host/0", "amqp://user:{}@host/vhost", "redis://h?password={}"):
        shown = redaction.redact_url(form.format(urllib.parse.quote(password, safe="")))
        assert "Zq7" not in shown
        assert "7qZ" not in shown
    for form in ("redis://:{}@host/0", "amqp://user:{}@host/vhost"):
        shown = redaction.redact_url(form.format(password))
        assert "Zq7" not in shown
        assert "7qZ" not in shown
