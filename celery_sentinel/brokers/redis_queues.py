"""Queue depths from Redis as kombu keeps them: a list for each priority of each queue."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis
from redis import backoff, retry

from celery_sentinel import errors, readings
from celery_sentinel.brokers import queue_reader, redis_messages, redis_nodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel.config import schema

# kombu's defaults for its transport options of the same names.
PRIORITY_STEPS = (0, 3, 6, 9)
SEPARATOR = "\x06\x16"
BINDING = "_kombu.binding."
BINDING_PERMANENT = "_kombu.binding_permanent."
BINDING_DEADLINES = "_kombu.binding_deadlines"

SCANS_A_LOOK = 20  # SCAN calls in one portion of discovery: the key space may hold millions
KEYS_A_SCAN = 1000
TAIL_BYTES = 8192  # id and headers come last in kombu's envelope

# Redis has no command for a part of a list's element; without this a queue of large messages
# would cost their full size with every poll. A key that is no list has no tail.
_TAIL_SCRIPT = """
local last = redis.pcall('LINDEX', KEYS[1], -1)
if type(last) ~= 'string' then return false end
return string.sub(last, -tonumber(ARGV[1]))
"""


class RedisQueues:
    """Asks everything in one pipeline; a command that fails costs no other its answer."""

    def __init__(self, config: schema.Config) -> None:
        options = config.broker.transport_options
        self._nodes = redis_nodes.Nodes(config.broker)
        self._prefix = str(options.get("global_keyprefix") or "")
        self._separator = str(options.get("sep", SEPARATOR))
        self._steps = tuple(options.get("priority_steps") or PRIORITY_STEPS)
        self._unacked_index = self._prefix + str(options.get("unacked_index_key", "unacked_index"))
        self._ignored_exchanges = {config.events.exchange}
        self._client: redis.Redis | None = None
        self._cursor = 0

    def read(self, names: Sequence[str]) -> readings.BrokerReading:
        """Return depths and tails of the queues, the unacked index and the ping time."""
        try:
            client = self._connected()
            begun = time.perf_counter()
            client.ping()
            round_trip = time.perf_counter() - begun
            answers = self._ask(client, names)
        except (redis.RedisError, OSError) as error:
            self.close()
            raise errors.BrokerError(str(error)) from error
        unacked, oldest = answers[0], answers[1]
        return readings.BrokerReading(
            queues=dict(zip(names, self._queues(names, answers[2:]), strict=True)),
            round_trip=round_trip,
            unacked=unacked if isinstance(unacked, int) else None,
            oldest_unacked_at=float(oldest[0][1]) if isinstance(oldest, list) and oldest else None,
        )

    def _ask(self, client: redis.Redis, names: Sequence[str]) -> list[Any]:
        """Return the answers in order: unacked, its oldest, then length and tail of each list."""
        with client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(self._unacked_index)
            pipeline.zrange(self._unacked_index, 0, 0, withscores=True)
            for name in names:
                for key in self._lists(name):
                    pipeline.llen(key)
                    pipeline.eval(_TAIL_SCRIPT, 1, key, str(TAIL_BYTES))
            return pipeline.execute(raise_on_error=False)

    def _lists(self, name: str) -> list[str]:
        """Return the keys of a queue's lists, priority 0 first, as kombu names them."""
        return [
            f"{self._prefix}{name}{self._separator}{step}" if step else f"{self._prefix}{name}"
            for step in self._steps
        ]

    def _queues(self, names: Sequence[str], answers: list[Any]) -> list[readings.QueueReading]:
        found = []
        width = 2 * len(self._steps)
        for index in range(len(names)):
            part = answers[index * width : (index + 1) * width]
            lengths = [n if isinstance(n, int) else 0 for n in part[::2]]
            tails = [redis_messages.tail(raw) for raw in part[1::2] if isinstance(raw, bytes)]
            found.append(
                readings.QueueReading(
                    length=sum(lengths),
                    by_priority={
                        str(step): n for step, n in zip(self._steps, lengths, strict=True)
                    },
                    tails=tuple(tails),
                )
            )
        return found

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return the queues of kombu's binding sets; each call looks at the next keys."""
        try:
            client = self._connected()
            found: set[str] = set()
            for _ in range(SCANS_A_LOOK):
                self._cursor, keys = client.scan(
                    self._cursor, match=f"{_escaped(self._prefix)}{BINDING}*", count=KEYS_A_SCAN
                )
                for key in keys:
                    found |= self._bound(client, key)
                if self._cursor == 0:
                    break
        except (redis.RedisError, OSError) as error:
            self.close()
            raise errors.BrokerError(str(error)) from error
        return [(name, "binding") for name in found]

    def _bound(self, client: redis.Redis, key: Any) -> set[str]:
        exchange = key.decode("utf-8", "replace").removeprefix(self._prefix + BINDING)
        if exchange in self._ignored_exchanges or exchange.endswith(".pidbox"):
            return set()
        try:
            members: Any = client.smembers(key)
        except redis.ResponseError:  # somebody else's key of that name, no set
            return set()
        return {
            parts[-1]
            for member in members
            if (parts := member.decode("utf-8", "replace").split(SEPARATOR)) and parts[-1]
        }

    def _connected(self) -> redis.Redis:
        if self._client is None:
            address = self._nodes.find()[0]
            self._client = redis.Redis(
                connection_pool=redis.ConnectionPool(
                    connection_class=address.connection_class,
                    **address.arguments,
                    protocol=2,
                    socket_timeout=queue_reader.TIMEOUT,
                    retry=retry.Retry(backoff.NoBackoff(), 0),
                )
            )
        return self._client

    def close(self) -> None:
        """Drop the connection."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
            client.connection_pool.disconnect()


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in text)
