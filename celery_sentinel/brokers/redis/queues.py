"""Queue depths from Redis as kombu keeps them: a list for each priority of each queue."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

import redis

from celery_sentinel import errors, logs, poll_results
from celery_sentinel.brokers.redis import (
    client as redis_client,
    condition as redis_condition,
    elsewhere as redis_elsewhere,
    message_tail,
    nodes as redis_nodes,
    priorities,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from celery_sentinel.config import schema

# kombu's defaults.
SEPARATOR = "\x06\x16"
BINDING = "_kombu.binding."

SCANS_A_LOOK = 20  # SCAN calls in one portion of discovery: the key space may hold millions
KEYS_A_SCAN = 1000
LONGEST_NAME = 1024  # characters; longer than a label, so it will be cut again and known as cut
MOST_BOUND = 10_000  # names read of one look for queues
_FOREIGN = "a key of another type than a list"
TAIL_BYTES = 8192  # id and headers come last in kombu's envelope

# Redis has no command for a part of a list's element; without this a queue of large messages
# would cost their full size with every poll. A key that is no list has no tail.
_TAIL_SCRIPT = """
local ends = {}
for place, key in ipairs(KEYS) do
  local last = redis.pcall('LINDEX', key, -1)
  if type(last) == 'table' and last.err and not string.find(last.err, 'WRONGTYPE', 1, true) then
    return redis.error_reply('LINDEX in a script: ' .. last.err)
  end
  ends[place] = type(last) == 'string' and string.sub(last, -ARGV[1])
end
return ends
"""

# The time of the oldest unacked message without its key, which anybody may have made long.
_OLDEST_SCRIPT = """
local oldest = redis.pcall('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if type(oldest) == 'table' and oldest.err and not string.find(oldest.err, 'WRONGTYPE', 1, true) then
  return redis.error_reply('ZRANGE in a script: ' .. oldest.err)
end
return type(oldest) == 'table' and not oldest.err and oldest[2]
"""


class RedisQueues:
    """Asks everything in one pipeline; a command that fails costs no other its answer."""

    def __init__(self, config: schema.Config) -> None:
        options = config.broker.transport_options
        self._nodes = redis_nodes.Nodes(config.broker)
        self._prefix = str(options.get("global_keyprefix") or "")
        self._separator = str(options.get("sep", SEPARATOR))
        self._priorities = priorities.Priorities(options)
        self._unacked_index = self._prefix + str(options.get("unacked_index_key", "unacked_index"))
        self._ignored_exchanges = {config.events.exchange}
        self._client: redis.Redis | None = None
        self._tails_refused = False
        self._unacked_refused = False
        self._cursor = 0
        self._condition = redis_condition.RedisCondition(
            self._prefix, interval=config.polling.queues
        )
        self._elsewhere = redis_elsewhere.RedisElsewhere(config, self._prefix)
        self._log = logs.get(__name__)

    def read(self, names: Sequence[str]) -> poll_results.BrokerReading:
        """Return depths and tails of the queues, the unacked index and the ping time."""
        try:
            self._priorities.choose()
            client, round_trip = self._answering()
            condition = self._condition.look(client)
            answers = self._ask(client, names)
        except (redis.RedisError, OSError) as error:
            self.close()
            raise errors.BrokerError(str(error)) from error
        had_scripts = not self._tails_refused
        queues = self._queues(answers[2:])
        if had_scripts != self._tails_refused:  # else the next poll asks in another way
            self._note_refused_unacked(answers[:2])
        unacked = answers[0]
        return poll_results.BrokerReading(
            queues=dict(zip(names, queues, strict=True)),
            round_trip=round_trip,
            unacked=unacked if isinstance(unacked, int) else None,
            oldest_unacked_at=_score(answers[1]),
            condition=condition,
        )

    def _ask(self, client: redis.Redis, names: Sequence[str]) -> list[Any]:
        """Return the answers in order: unacked, its oldest, then lengths and tails by queue."""
        with client.pipeline(transaction=False) as pipeline:
            pipeline.zcard(self._unacked_index)
            if self._tails_refused:
                pipeline.zrange(self._unacked_index, 0, 0, withscores=True)
            else:
                pipeline.eval(_OLDEST_SCRIPT, 1, self._unacked_index)
            for name in names:
                keys = self._lists(name)
                for key in keys:
                    pipeline.llen(key)
                if not self._tails_refused:
                    pipeline.eval(_TAIL_SCRIPT, len(keys), *keys, str(TAIL_BYTES))
            return pipeline.execute(raise_on_error=False)

    def _lists(self, name: str) -> list[str]:
        """Return the keys of a queue's lists, in the order of the priority steps."""
        return [
            f"{self._prefix}{name}{self._separator}{step}" if step else f"{self._prefix}{name}"
            for step in self._priorities.now_read
        ]

    def _queues(self, answers: list[Any]) -> list[poll_results.QueueReading]:
        """Return what each queue's part of the answers tells.

        Raises ``errors.BrokerError`` when we may look at none of them.
        """
        lists = len(self._priorities.now_read)
        width = lists + (not self._tails_refused)
        parts = [answers[start : start + width] for start in range(0, len(answers), width)]
        refusals = [_refusal(part[:lists]) for part in parts]
        if refusals and (refusal := refusals[0]) and all(refusals):
            raise errors.BrokerError(str(refusal))
        if not self._tails_refused:
            self._note_refused_tails([part[lists] for part in parts])
        return [self._queue(part[:lists], part[lists:]) for part in parts]

    def _queue(self, lengths: list[Any], tails: list[Any]) -> poll_results.QueueReading:
        """Return one queue; where one of its lists cannot be counted, its length is unknown."""
        counted = {
            step: found
            for step, found in zip(self._priorities.now_read, lengths, strict=True)
            if isinstance(found, int)
        }
        self._priorities.note(counted)
        used = self._priorities.used
        ends = tails[0] if tails and isinstance(tails[0], list) else []
        return poll_results.QueueReading(
            length=sum(counted.values()) if len(counted) == len(lengths) else None,
            by_priority={str(step): found for step, found in counted.items() if step in used},
            tails=tuple(message_tail.tail(end) for end in ends if isinstance(end, bytes)),
            foreign=_FOREIGN if any(map(_is_of_another_type, lengths)) else None,
        )

    def _note_refused_tails(self, answers: list[Any]) -> None:
        """Do without tails, on this connection, where no script may run: each would be refused."""
        refused = [answer for answer in answers if isinstance(answer, redis.ResponseError)]
        if refused and len(refused) == len(answers):
            self._tails_refused = True
            self._log.warning("oldest_messages_unknown", error=str(refused[0]))

    def _note_refused_unacked(self, answers: list[Any]) -> None:
        """Say once for each connection that nothing is known of unacknowledged messages."""
        refused = [str(answer) for answer in answers if _is_refusal(answer)]
        if refused and not self._unacked_refused:
            self._unacked_refused = True
            self._log.warning("unacked_messages_unknown", error="; ".join(refused))

    def elsewhere(self) -> Sequence[str]:
        """Return where Celery is, other than where we look."""
        try:
            return self._elsewhere.look(self._answering()[0])
        except (redis.RedisError, OSError) as error:
            self.close()
            raise errors.BrokerError(str(error)) from error

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return the queues of kombu's binding sets; each call looks at the next keys."""
        try:
            client, _ = self._answering()
            found: set[str] = set()
            for _ in range(SCANS_A_LOOK):
                self._cursor, keys = client.scan(
                    self._cursor, match=f"{_escaped(self._prefix)}{BINDING}*", count=KEYS_A_SCAN
                )
                for key in keys:
                    found.update(islice(self._bound(client, key), MOST_BOUND - len(found)))
                if self._cursor == 0 or len(found) >= MOST_BOUND:
                    break
        except (redis.RedisError, OSError) as error:
            self.close()
            raise errors.BrokerError(str(error)) from error
        return [(name, "binding") for name in found]

    def _bound(self, client: redis.Redis, key: Any) -> Iterator[str]:
        """Yield the queues of one binding set, in portions: it may be of any size."""
        exchange = key.decode("utf-8", "replace").removeprefix(self._prefix + BINDING)
        if exchange in self._ignored_exchanges or exchange.endswith(".pidbox"):
            return
        try:
            for member in client.sscan_iter(key, count=KEYS_A_SCAN):
                name = member.decode("utf-8", "replace").rpartition(self._separator)[2]
                if name:
                    yield name[:LONGEST_NAME]
        except redis.ResponseError as error:
            if _is_refusal(error):
                raise
            return  # somebody else's key of that name, no set

    def _answering(self) -> tuple[redis.Redis, float]:
        """Return a client that answers, and the seconds that takes.

        A connection that was cut while idle is opened again, once.
        """
        was_open = self._client is not None
        client = self._connected()
        try:
            return client, _round_trip(client)
        except redis.ConnectionError:
            if not was_open:
                raise
        self.close()
        client = self._connected()
        return client, _round_trip(client)

    def _connected(self) -> redis.Redis:
        if self._client is None:
            self._client = redis_client.connect(self._nodes)
            self._tails_refused = self._unacked_refused = False
        return self._client

    def close(self) -> None:
        """Drop the connection."""
        client, self._client = self._client, None
        self._condition.forget()
        if client is not None:
            client.close()
            client.connection_pool.disconnect()


def _round_trip(client: redis.Redis) -> float:
    begun = time.perf_counter()
    redis_client.ping(client)
    return time.perf_counter() - begun


def _score(answer: Any) -> float | None:
    """Return the score in what either way of asking for the oldest unacked message gives."""
    if isinstance(answer, list) and answer:
        return float(answer[0][1])
    return float(answer) if isinstance(answer, bytes) else None


def _refusal(lengths: list[Any]) -> Exception | None:
    """Return why none of a queue's lists may be counted, None where one is or is no list."""
    refused = [found for found in lengths if isinstance(found, redis.ResponseError)]
    if len(refused) < len(lengths) or not _is_refusal(refused[0]):
        return None
    return refused[0]


def _is_of_another_type(answer: Any) -> bool:
    return isinstance(answer, redis.ResponseError) and str(answer).startswith("WRONGTYPE")


def _is_refusal(answer: Any) -> bool:
    """Tell whether an answer is an error that is not the key's: the user may not, it seems."""
    return isinstance(answer, redis.ResponseError) and not _is_of_another_type(answer)


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "*?[]\\" else char for char in text)
