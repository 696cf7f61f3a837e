"""Reads kombu's Redis URLs and transport options the way kombu does."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import redis
from kombu.utils import url as kombu_url

from celery_sentinel import errors
from celery_sentinel.config import urls

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.config import schema

CONNECT_TIMEOUT = 5.0
DEFAULT_PORT = 6379
_SENTINEL = "sentinel://"
DEFAULT_SENTINEL_PORT = 26379
TLS_CONNECTION = redis.SSLConnection
KEYPREFIX_FANOUT = "/{db}."  # kombu's default
_TLS_OPTIONS = frozenset(
    name for name in inspect.signature(redis.SSLConnection).parameters if name.startswith("ssl_")
)
# redis-py introduces itself with CLIENT SETINFO, which a user with few rights is refused.
NO_INTRODUCTION: dict[str, None] = (
    {"driver_info": None}
    if "driver_info" in inspect.signature(redis.connection.AbstractConnection).parameters
    else {"lib_name": None, "lib_version": None}
)
_UNREADABLE = (
    "broker.url cannot be read; write it as redis://USER:PASSWORD@HOST:PORT/DB, user and "
    "password percent-encoded, with nothing but ssl_ options behind a question mark"
)
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
    def by_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.connection_class is TLS_CONNECTION

    @property
    def db(self) -> int:
        """Number of the database."""
        return int(self.arguments["db"])

    def at(self, host: str, port: int) -> Address:
        """Return the same server at another place."""
        return Address(self.connection_class, {**self.arguments, "host": host, "port": port})


def addresses(broker: schema.Broker) -> list[Address]:
    """Return the addresses of ``broker.url``: one, or several separated by ``;``.

    As in kombu, a URL of such a list that names no database has that of the URL before it, and
    so it is with the port, save for Sentinel's; one without ssl_ options has those of the first;
    credentials are each URL's own, save again for Sentinel's, which all lead to one master.
    Raises ``errors.ConfigError`` for a URL that cannot be used; its text shows nothing of it.
    """
    found: list[Address] = []
    for url in filter(None, map(str.strip, urls.plain(broker.url).split(";"))):
        found.append(_address(url, broker, found))
    if broker.url.startswith(_SENTINEL):
        _share_credentials(found)
    return found


def _share_credentials(found: list[Address]) -> None:
    names = ("username", "password")
    for giver in found:
        if giver.arguments["password"] is not None:
            shared = {name: giver.arguments[name] for name in names}
            for address in found:
                if address.arguments["password"] is None:
                    address.arguments.update(shared)
            return


def _address(url: str, broker: schema.Broker, before: list[Address]) -> Address:
    if url.startswith("redis+socket://"):
        return _socket(url, broker, before)
    parts = _parsed(kombu_url.parse_url, url)
    if parts["transport"] == "sentinel":
        default_port = DEFAULT_SENTINEL_PORT
    else:
        default_port = (before[-1].port if before else 0) or DEFAULT_PORT
    query = parts.get("ssl") or (_ssl_options(before[0].arguments) if before else {})
    if isinstance(query, str):  # ?ssl=..., at which kombu fails when it connects
        raise errors.ConfigError(_UNREADABLE)
    arguments = {
        **_identity(parts["userid"], parts["password"], broker),
        "host": parts["hostname"] or "127.0.0.1",
        "port": parts["port"] or default_port,
        "db": _database(parts["virtual_host"], before),
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
    }
    if parts["transport"] != "rediss" and not query and broker.tls is None:
        return Address(redis.Connection, arguments)
    return Address(TLS_CONNECTION, arguments | _tls(query, broker.tls))


def _ssl_options(arguments: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if name.startswith("ssl_")}


def _parsed(parse: Callable[[str], Any], url: str) -> Any:
    """Return kombu's reading of a URL; its own errors would show a part of it."""
    try:
        return parse(url)
    except KeyError:
        raise errors.ConfigError(
            "broker.url: ssl_cert_reqs is none of required, optional, none (or CERT_REQUIRED, "
            "CERT_OPTIONAL, CERT_NONE)"
        ) from None
    except (TypeError, ValueError):
        raise errors.ConfigError(_UNREADABLE) from None


def _socket(url: str, broker: schema.Broker, before: list[Address]) -> Address:
    parts = _parsed(kombu_url.url_to_parts, url)
    return Address(
        redis.UnixDomainSocketConnection,
        {
            **_identity(parts.username, parts.password, broker),
            "path": "/" + (parts.path or ""),
            "db": _database(parts.query.get("virtual_host"), before),
        },
    )


def _identity(username: str | None, password: str | None, broker: schema.Broker) -> dict[str, Any]:
    name = broker.transport_options.get("client_name", "celery-sentinel")
    return {"username": username, "password": password, "client_name": name, **NO_INTRODUCTION}


def _database(name: str | None, before: list[Address]) -> int:
    """Return the number of the database a URL names, or falls back to."""
    if name is None or name in {"", "/"}:
        return before[-1].db if before else 0
    try:
        return int(name.removeprefix("/"))
    except ValueError:  # the name may be what comes after the slash of an unencoded password
        raise errors.ConfigError(
            "broker.url: the Redis database must be a number, as in redis://HOST:6379/0 or "
            "redis+socket:///PATH?virtual_host=0"
        ) from None


def _tls(query: dict[str, Any], tls: schema.Tls | None) -> dict[str, Any]:
    """Return redis-py's TLS arguments; the section ``broker.tls`` goes before the URL.

    Where neither says otherwise the certificate is verified; kombu takes any for ``rediss://``.
    """
    if not query.keys() <= _TLS_OPTIONS:
        raise errors.ConfigError(
            "broker.url has an ssl_ option that redis-py does not know; allowed: "
            + ", ".join(sorted(_TLS_OPTIONS))
        )
    if tls is None:
        return query
    section = {
        "ssl_ca_certs": tls.ca_file,
        "ssl_certfile": tls.cert_file,
        "ssl_keyfile": tls.key_file,
        "ssl_check_hostname": tls.verify_hostname,
    }
    return query | {key: value for key, value in section.items() if value is not None}


def master_name(broker: schema.Broker) -> str | None:
    """Return the name of Sentinel's master where the URL asks for Sentinel, else None."""
    if not broker.url.startswith(_SENTINEL):
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

    The channels are for publishers with ``fanout_patterns`` off. Behind Sentinel the workers
    may be at any URL of the list, and so at any database it names.
    """
    broker = config.broker
    behind_sentinel = broker.url.startswith(_SENTINEL)
    databases = [one.db for one in addresses(broker)] if behind_sentinel else [address.db]
    channels = fanout_channels(broker, databases, config.events.exchange)
    return [_GLOB.sub(r"\\\1", channel) + "/*" for channel in channels], channels


def fanout_channels(broker: schema.Broker, databases: list[int], exchange: str) -> list[str]:
    """Return the channels over which kombu fans out what is sent to an exchange.

    Behind Sentinel kombu before 5.4 left ``{db}`` unformatted in the prefix, so there it is taken
    that way too; who listens to both takes a message once, by its delivery tag.
    """
    template = _fanout_prefix(broker.transport_options)
    prefixes = [_formatted(template, db) for db in databases]
    if broker.url.startswith(_SENTINEL):
        prefixes.append(template)
    keyprefix = broker.transport_options.get("global_keyprefix") or ""
    return [f"{keyprefix}{one}{exchange}" for one in dict.fromkeys(prefixes)]


def _fanout_prefix(options: dict[str, Any]) -> str:
    given = options.get("fanout_prefix", True)
    if isinstance(given, str):
        return given
    return KEYPREFIX_FANOUT if given else ""


def _formatted(template: str, db: int) -> str:
    try:
        return template.format(db=db).format(db=db)  # as kombu does, for each of its two pools
    except (LookupError, ValueError, TypeError, AttributeError):
        raise errors.ConfigError(
            f"broker.transport_options: fanout_prefix is {template!r}, but may hold no other "
            "braces than {db}"
        ) from None
