"""Reads kombu's Redis URLs and transport options the way kombu does."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import redis
from kombu.utils import url as kombu_url

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.config import schema

CONNECT_TIMEOUT = 5.0
DEFAULT_PORT = 6379
DEFAULT_SENTINEL_PORT = 26379
KEYPREFIX_FANOUT = "/{db}."  # kombu's default
_GLOB = re.compile(r"([*?\[\]\\])")


class Address:
    """One server: the redis-py class that connects to it and its arguments."""

    __slots__ = ("arguments", "connection_class")

    def __init__(
        self,
        connection_class: Callable[..., redis.connection.AbstractConnection],
        arguments: dict[str, Any],
    ) -> None:
        self.connection_class = connection_class
        self.arguments = arguments

    @property
    def host(self) -> str:
        """Host name, or path of the socket."""
        return str(self.arguments.get("host") or self.arguments.get("path"))

    @property
    def port(self) -> int:
        """TCP port; 0 for a socket."""
        return int(self.arguments.get("port", 0))

    @property
    def where(self) -> str:
        """The address for people: never holds a password."""
        return f"{self.host}:{self.port}" if self.port else self.host

    @property
    def db(self) -> int:
        """Number of the database."""
        return int(self.arguments["db"])

    def at(self, host: str, port: int) -> Address:
        """Return the same server at another place."""
        return Address(self.connection_class, {**self.arguments, "host": host, "port": port})


def addresses(broker: schema.Broker) -> list[Address]:
    """Return the addresses of ``broker.url``: one, or several separated by ``;``.

    Raises ``errors.ConfigError`` for a database that is no number.
    """
    parsed = [_address(url.strip(), broker) for url in broker.url.split(";") if url.strip()]
    # Only the last URL of a list names the database: sentinel://a;sentinel://b/3
    for address in parsed:
        for argument in ("db", "username", "password"):
            if address.arguments[argument] is None:
                address.arguments[argument] = next(
                    (a.arguments[argument] for a in parsed if a.arguments[argument] is not None),
                    0 if argument == "db" else None,
                )
    return parsed


def _address(url: str, broker: schema.Broker) -> Address:
    if url.startswith("redis+socket://"):
        return _socket(url, broker)
    parts = kombu_url.parse_url(url)
    default_port = DEFAULT_SENTINEL_PORT if parts["transport"] == "sentinel" else DEFAULT_PORT
    arguments = {
        **_identity(parts["userid"], parts["password"], broker),
        "host": parts["hostname"] or "127.0.0.1",
        "port": parts["port"] or default_port,
        "db": _database(parts["virtual_host"]),
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
    }
    if parts["transport"] != "rediss" and broker.tls is None:
        return Address(redis.Connection, arguments)
    return Address(redis.SSLConnection, arguments | _tls(parts.get("ssl") or {}, broker.tls))


def _socket(url: str, broker: schema.Broker) -> Address:
    parts = kombu_url.url_to_parts(url)
    return Address(
        redis.UnixDomainSocketConnection,
        {
            **_identity(parts.username, parts.password, broker),
            "path": "/" + (parts.path or ""),
            "db": _database(parts.query.get("virtual_host")),
        },
    )


def _identity(username: str | None, password: str | None, broker: schema.Broker) -> dict[str, Any]:
    name = broker.transport_options.get("client_name", "celery-sentinel")
    return {"username": username, "password": password, "client_name": name}


def _database(name: str | None) -> int | None:
    """Return the number of the database a URL names, None where it names none."""
    if name is None or name in {"", "/"}:
        return None
    try:
        return int(name.removeprefix("/"))
    except ValueError:
        raise errors.ConfigError(
            f"broker.url: the Redis database is {name!r}, but must be a number, "
            "as in redis://host:6379/0"
        ) from None


def _tls(query: dict[str, Any], tls: schema.Tls | None) -> dict[str, Any]:
    """Return redis-py's TLS arguments; the section ``broker.tls`` goes before the URL."""
    arguments: dict[str, Any] = {
        key: value for key, value in query.items() if key.startswith("ssl_")
    }
    if tls is not None:
        arguments |= {
            "ssl_ca_certs": tls.ca_file,
            "ssl_certfile": tls.cert_file,
            "ssl_keyfile": tls.key_file,
            "ssl_check_hostname": tls.verify_hostname,
        }
    return arguments


def master_name(broker: schema.Broker) -> str | None:
    """Return the name of Sentinel's master where the URL asks for Sentinel, else None."""
    if not broker.url.startswith("sentinel://"):
        return None
    name = broker.transport_options.get("master_name")
    if not name:
        raise errors.ConfigError(
            "broker.url asks for Redis Sentinel, but broker.transport_options has no "
            "master_name; set it to the name the sentinels know the master by"
        )
    return str(name)


def event_channels(config: schema.Config, address: Address) -> tuple[list[str], list[str]]:
    """Return the patterns to PSUBSCRIBE and the channels to SUBSCRIBE for Celery's events.

    The channels are for publishers with ``fanout_patterns`` off. Behind Sentinel kombu before
    5.4 left ``{db}`` unformatted in the prefix, so there the prefix is taken both ways.
    """
    options = config.broker.transport_options
    fanout_prefix = options.get("fanout_prefix", True)
    template = fanout_prefix if isinstance(fanout_prefix, str) else KEYPREFIX_FANOUT
    if not fanout_prefix:
        template = ""
    prefixes = [template.replace("{db}", str(address.db))]
    if config.broker.url.startswith("sentinel://") and template not in prefixes:
        prefixes.append(template)
    keyprefix = str(options.get("global_keyprefix", ""))
    channels = [f"{keyprefix}{prefix}{config.events.exchange}" for prefix in prefixes]
    return [_GLOB.sub(r"\\\1", channel) + "/*" for channel in channels], channels
