"""Looks where else on a Redis Celery is, for who watches the wrong database hears nothing."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING, Any

import redis

from celery_sentinel import errors, logs
from celery_sentinel.brokers.redis import info as redis_info, url as redis_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from celery_sentinel.config import schema

# Every worker's heartbeat, whatever the prefix, the database and the exchange of its channel.
HEARTBEATS = "*/worker.heartbeat"
LISTEN = 2.5  # seconds; workers send one every 2 s
MOST_MESSAGES = 200  # heartbeats read of one look
MOST_CHANNELS = 3  # named in one sentence
MOST_DATABASES = 16  # looked into, those with most keys first
SCANS = 5  # portions of the keys of one database
KEYS_A_SCAN = 1000
_BINDING = "_kombu.binding."
_CELERYS = ("celery.pidbox", "celeryev", "celery")
# Whoever asks workers leaves this one, the daemon of old and each `celery inspect` among them.
_OF_ANYBODY = re.compile(r"reply\.[^\x00]*pidbox\Z")
_SHOWN = 60  # characters of a name that anybody may have chosen


class RedisElsewhere:
    """Listens for heartbeats on other channels, and looks for kombu's keys in other places.

    Each of the questions is optional, bounded, and not asked again once it was refused.
    """

    def __init__(self, config: schema.Config, prefix: str) -> None:
        self._config = config
        self._prefix = prefix
        self._refused: set[str] = set()
        self._log = logs.get(__name__)

    def look(self, client: redis.Redis) -> Sequence[str]:
        """Return what was found, in sentences; nothing where nothing speaks for another place."""
        here = int(client.connection_pool.connection_kwargs.get("db") or 0)
        found = list(self._try("PSUBSCRIBE", lambda: self._heartbeats(client, here)))
        if not self._try("SSCAN", lambda: ["here"] * self._has_celery(client)):
            found += self._try("SCAN", lambda: self._prefixes(client, here))
            found += self._try("SELECT", lambda: self._databases(client, here))
        return found

    def _try(self, name: str, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
        """Ask unless that was refused before."""
        if name in self._refused:
            return ()
        try:
            return ask()
        except redis.ResponseError as error:
            self._refused.add(name)
            self._log.info("elsewhere_unknown", command=name, error=str(error)[: errors.LONGEST])
            return ()

    def _heartbeats(self, client: redis.Redis, here: int) -> list[str]:
        channels = self._channels(client)
        if not channels:
            return []
        address = redis_url.addresses(self._config.broker)[0]
        ours = redis_url.event_channels(self._config, address)[0][0]
        heard = ", ".join(sorted(channels)[:MOST_CHANNELS])
        return [
            (
                f"Workers send their heartbeats on the channel {heard}, and this daemon listens on "
                f"{ours} (database {here}): compare database, global_keyprefix, fanout_prefix and "
                "events.exchange with the application's."
            )
        ]

    def _channels(self, client: redis.Redis) -> set[str]:
        """Return the channels on which heartbeats come, on a connection that ends with this."""
        found: set[str] = set()
        until = time.monotonic() + LISTEN
        with client.pubsub() as listening:
            listening.psubscribe(HEARTBEATS)
            for _ in range(MOST_MESSAGES):
                left = until - time.monotonic()
                if left <= 0 or len(found) > MOST_CHANNELS:
                    break
                message = listening.get_message(timeout=left)
                if message is not None and message["type"] == "pmessage":
                    found.add(_shown(message["channel"]))
        return found

    def _has_celery(self, client: redis.Redis) -> bool:
        """Tell whether workers have bound queues here, under our prefix."""
        for name in _CELERYS:
            with contextlib.suppress(redis.ResponseError):  # a key of another type; no right
                _, members = client.sscan(f"{self._prefix}{_BINDING}{name}", count=1)
                if members:
                    return True
        return False

    def _prefixes(self, client: redis.Redis, here: int) -> list[str]:
        found = sorted({prefix for prefix in _prefixes(client) if prefix != self._prefix})
        if not found:
            return []
        named = ", ".join(repr(_shown(prefix)) for prefix in found[:MOST_CHANNELS])
        ours = repr(self._prefix) if self._prefix else "none"
        return [
            (
                f"Celery's keys in database {here} have the prefix {named}, and this daemon's is "
                f"{ours}: set broker.transport_options.global_keyprefix as the application does."
            )
        ]

    def _databases(self, client: redis.Redis, here: int) -> list[str]:
        """Return a sentence for each other database that has Celery's keys."""
        client.set_response_callback("INFO", lambda answer, **_: answer)
        try:
            sizes = redis_info.Info(client.execute_command("INFO", "keyspace")).databases()
        except redis.ResponseError:
            sizes = dict.fromkeys(range(MOST_DATABASES), 1)
        others = sorted(sizes, key=lambda number: -sizes[number])[:MOST_DATABASES]
        return [
            f"Database {number} has Celery's keys, and this daemon watches database {here}: "
            "compare the number at the end of broker.url with the application's."
            for number in others
            if number != here and self._is_used(client, number)
        ]

    def _is_used(self, client: redis.Redis, number: int) -> bool:
        with contextlib.closing(_of_database(client, number)) as other:
            try:
                return self._has_celery(other) or any(True for _ in _prefixes(other))
            except redis.ResponseError as error:
                if "out of range" in str(error):
                    return False
                raise
            finally:
                other.connection_pool.disconnect()


def _prefixes(client: redis.Redis) -> Iterator[str]:
    """Yield what stands before the names of kombu's keys, of as many keys as are looked at."""
    cursor = 0
    for _ in range(SCANS):
        cursor, keys = client.scan(cursor, match=f"*{_BINDING}*", count=KEYS_A_SCAN)
        for key in keys:
            name = key.decode("utf-8", "replace") if isinstance(key, bytes) else key
            prefix, _, exchange = name.partition(_BINDING)
            if not _OF_ANYBODY.search(exchange):
                yield prefix
        if cursor == 0:
            return


def _of_database(client: redis.Redis, number: int) -> redis.Redis:
    pool: Any = client.connection_pool
    arguments = {**pool.connection_kwargs, "db": number}
    return redis.Redis(
        connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **arguments)
    )


def _shown(name: Any) -> str:
    text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
    printable = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return printable if len(printable) <= _SHOWN else printable[: _SHOWN - 1] + "…"
