"""Tells which broker a state belongs to, in words that hold no secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from celery_sentinel import redaction

if TYPE_CHECKING:
    from celery_sentinel.config import schema

_BETWEEN_URLS = re.compile(r";(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_DEFAULTS = {  # port and path that kombu takes where the URL has none
    "redis": ("6379", "0"),
    "rediss": ("6379", "0"),
    "amqp": ("5672", "/"),
    "pyamqp": ("5672", "/"),
    "amqps": ("5671", "/"),
    "librabbitmq": ("5672", "/"),
    "sentinel": ("26379", "0"),
}
_SAME = {"pyamqp": "amqp", "librabbitmq": "amqp"}  # other drivers of one protocol
_PORT = re.compile(r":[0-9]+\Z")


def of(config: schema.Config) -> str:
    """Return where the events come from: server, database or virtual host, exchange, key prefix.

    Another user or password is the same broker.
    """
    places = ";".join(map(_place, _BETWEEN_URLS.split(config.broker.url)))
    prefix = config.broker.transport_options.get("global_keyprefix", "")
    return f"{places} {config.events.exchange}" + (f" {prefix}" if prefix else "")


def same(one: str, other: str) -> bool:
    """Tell whether two states are of one broker; files of before wrote some URLs as given."""
    return _canonical(one) == _canonical(other)


def _canonical(told: str) -> str:
    places, space, rest = told.partition(" ")
    return ";".join(map(_place, _BETWEEN_URLS.split(places))) + space + rest


def _place(url: str) -> str:
    """Return one URL without user, password and query, its defaults filled in."""
    # Redacted first: what looks like a host or path may be a part of a password.
    scheme, mark, rest = redaction.redact_url(url).partition("?")[0].partition("://")
    rest = rest.rpartition("@")[2]
    if scheme not in _DEFAULTS:
        return f"{scheme}{mark}{rest}"
    port, path = _DEFAULTS[scheme]
    host, _, given = rest.partition("/")
    host = (host or "localhost").lower()
    if not _PORT.search(host):
        host = f"{host}:{port}"
    return f"{_SAME.get(scheme, scheme)}://{host}/{given.rstrip('/') or path}"
