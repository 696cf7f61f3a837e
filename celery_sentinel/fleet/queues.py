"""Which queues there are, and which queue a task came from when its events do not say."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from celery_sentinel.fleet import eviction_of_queues, labels, queue_bindings, queue_names

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from celery_sentinel import poll_results
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet.worker import Worker

# The routing key of native delayed delivery: 28 bits of delay, then the real routing key.
_DELAYED = re.compile(r"(?:[01]\.){28}(.+)\Z", re.DOTALL)

_AMBIGUOUS = ""
LESSONS = 10  # times as many as queues


class Queue:
    """A queue that is known, by which sources, what it is for, and what polls found in it.

    ``mentioned_at``, ``oldest_at``, ``consumed_at`` (last told so by a worker) and ``lively_at``
    (last consumed, sent to or not empty) are epoch seconds, ``read_at`` is monotonic. What a poll
    did not tell is None; ``first_seen`` remembers since when (epoch) a message has been at a
    tail of it.
    """

    __slots__ = (
        "by_priority", "consumed_at", "consumers", "first_seen", "foreign", "length", "lively_at",
        "mentioned_at", "name", "oldest_at", "oldest_source", "read_at", "role", "sources",
        "unacked",
    )  # fmt: skip

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self.sources: set[str] = set()
        self.mentioned_at = self.lively_at = self.consumed_at = 0.0
        self.first_seen: dict[str, float] = {}
        self.read_at: float | None = None
        self.clear()

    def clear(self) -> None:
        """Forget what polls found: it is too old to be true."""
        self.length: int | None = None
        self.by_priority: dict[str, int] = {}
        self.unacked: int | None = None
        self.consumers: int | None = None
        self.oldest_at: float | None = None
        self.oldest_source: str | None = None
        self.foreign: str | None = None


class QueueTable:
    """Every queue named by the configuration or by an event, ignored ones left out.

    ``wall`` (epoch seconds) is set by the caller now and then. Of ``lately`` and ``after``
    eviction_of_queues.py tells.

    Queues that processes made for themselves are one, under what their names share: ``folded``
    has those names, ``fanout`` those whose messages reach every worker.
    """

    def __init__(
        self,
        *,
        limit: int,
        watch: Sequence[str],
        ignore: Sequence[str],
        dead_letter: Sequence[str],
        lately: float = 100.0,
        after: float = 3600.0,
    ) -> None:
        self.limit = limit
        self.overflow = 0
        self.wall = 0.0
        self.by_name: dict[str, Queue] = {}
        self.idle = eviction_of_queues.IdleQueues(
            self.by_name, limit=limit, lately=lately, after=after
        )
        self.folded: set[str] = set()
        self.fanout: set[str] = set()
        self.bindings = queue_bindings.Bindings()
        self._unlisted: dict[str, str] = {}
        self._learnt: dict[str, str] = {}
        self._sent: dict[str, int] = {}
        self.configure(watch=watch, ignore=ignore, dead_letter=dead_letter)

    def __iter__(self) -> Iterator[Queue]:
        return iter(self.by_name.values())

    def configure(
        self, *, watch: Sequence[str], ignore: Sequence[str], dead_letter: Sequence[str]
    ) -> None:
        """Take over the queue section of a configuration, keeping what events have taught."""
        self._ignore = tuple(ignore)
        self._dead_letter = tuple(dead_letter)
        self._unlisted.clear()
        known = dict(self.by_name)
        self.by_name.clear()
        literal = [name for name in dead_letter if not set("*?[") & set(name)]
        for name in (*watch, *literal):
            self.note(name, "config", listed=True)
        for name, old in known.items():
            for source in old.sources - {"config"}:
                self.note(name, source, old.mentioned_at)
            if (new := self.by_name.get(name)) is not None:
                old.role, old.sources = new.role, new.sources
                self.by_name[name] = old

    def note(
        self, name: str, source: str, mentioned_at: float = 0.0, *, listed: bool = False
    ) -> None:
        """Remember that ``source`` named this queue; a ``listed`` one cannot be ignored."""
        if not name:
            return
        queue = self.by_name.get(name)
        if queue is None and not listed:
            name = self._stem(name)
            queue = self.by_name.get(name)
        if queue is None:
            if name in self._unlisted:
                return
            queue = self._admit(labels.clean(name), source, listed=listed)
            if queue is None:
                return
            queue.lively_at = self.wall
        if source in {eviction_of_queues.CONSUMED, eviction_of_queues.SENT_TO}:
            queue.lively_at = max(queue.lively_at, self.wall)
            if source == eviction_of_queues.CONSUMED:
                queue.consumed_at = self.wall
        queue.sources.add(source)
        queue.mentioned_at = max(queue.mentioned_at, mentioned_at)

    def consumed(self, name: str, wall: float) -> str:
        """Note a queue that a worker consumes; return the name as it is kept here, once.

        ``__other__`` where there is no room for it: thousands of workers may say anything.
        """
        name = self.kept(name)
        self.note(name, "inspect", wall)
        queue = self.by_name.get(name)
        return queue.name if queue is not None else self._unlisted.get(name, labels.OTHER)

    def bound(self, told: poll_results.Binding) -> None:
        """Take over how a queue that a worker consumes hangs on an exchange."""
        queue = self.kept(told.queue)
        self.bindings.note(told, queue)
        if told.type == queue_bindings.FANOUT and len(self.fanout) < self.limit:
            self.fanout.add(queue)

    def kept(self, name: str) -> str:
        """Return the name under which a queue is kept."""
        return self._stem(labels.clean(name))

    def _stem(self, name: str) -> str:
        """Return the name under which a queue is kept: its own if the configuration has it."""
        stem = queue_names.of(name)
        if stem == name or name in self.by_name:
            return name
        if len(self.folded) < self.limit:
            self.folded.add(stem)
        return stem

    def note_sent(self, counts: Mapping[str, int], wall: float) -> None:
        """Let a queue live, or return, while tasks are sent to it; ``counts`` (by name) grow.

        What events say of the time is up to their senders' clocks, so growth has to tell.
        """
        for name, count in counts.items():
            if count != self._sent.get(name, 0):
                self.note(name, "event", wall)
        self._sent = dict(counts)

    def lessons(self) -> tuple[dict[str, str], dict[str, int]]:
        """Return what events taught: the queue of each task name, and the counts of note_sent."""
        return dict(self._learnt), dict(self._sent)

    def load_lessons(self, learnt: Mapping[str, str], sent: Mapping[str, int]) -> None:
        """Take over what events had taught before a restart."""
        self._learnt.update(learnt)
        self._sent = dict(sent)

    def trim_lessons(self, names: Container[str]) -> None:
        """Where no more can be learnt, forget what was learnt of names that have no place."""
        if len(self._learnt) >= self.limit * LESSONS:
            for name in [name for name in self._learnt if name not in names]:
                del self._learnt[name]

    def forget(self, wall: float, after: float) -> None:
        """Drop the queues nobody has mentioned for ``after`` seconds nor configured."""
        for name, queue in list(self.by_name.items()):
            queue.mentioned_at = min(queue.mentioned_at, wall)
            if queue.mentioned_at < wall - after and "config" not in queue.sources:
                del self.by_name[name]

    def shift(self, seconds: float) -> None:
        """Move what is remembered in epoch seconds: our clock was set by so much."""
        for queue in self:
            if queue.mentioned_at:
                queue.mentioned_at += seconds
            queue.lively_at += seconds
            queue.consumed_at += seconds
            queue.first_seen = {uuid: at + seconds for uuid, at in queue.first_seen.items()}

    def holds(self, name: str) -> bool:
        """Tell whether a queue is configured, worked on, sent to or not empty."""
        queue = self.by_name.get(name)
        return queue is not None and self.idle.holds(queue, self.wall)

    def _admit(self, name: str, source: str, *, listed: bool) -> Queue | None:
        if name in self.by_name:
            return self.by_name[name]
        if not listed and any(fnmatchcase(name, pattern) for pattern in self._ignore):
            if len(self._unlisted) >= self.limit:
                self._unlisted.clear()  # they are matched again
            self._unlisted[name] = name
            return None
        if len(self.by_name) >= self.limit:
            idle = self.idle.take(source, self.wall)
            if idle is None:
                self.overflow += 1
                return None
            del self.by_name[idle.name]
        dead = any(fnmatchcase(name, pattern) for pattern in self._dead_letter)
        queue = self.by_name[name] = Queue(name, "dead_letter" if dead else "work")
        return queue

    def of_sent(self, event: Event) -> str:
        """Return the queue a ``task-sent`` event names, and learn it for the task's name.

        With native delayed delivery the event names none and the routing key hides it; with
        the default exchange the routing key is the queue.
        """
        queue = event.queue or _routed_to(event)
        if queue is not None:
            named, queue = queue, self.kept(queue)
            if event.exchange and named != queue and len(self.fanout) < self.limit:
                self.fanout.add(queue)  # as kombu's Broadcast
        if event.exchange:
            queue = self.routed(event.exchange, event.routing_key, queue)
        if queue is None:
            return labels.UNKNOWN
        name = event.name
        if name is not None:
            learnt = self._learnt.get(name)
            if learnt != queue:
                self._learn(name, queue, learnt, event.timestamp)
        return queue

    def routed(self, exchange: str, key: str | None, named: str | None = None) -> str | None:
        """Return the queue to which an exchange puts what is said to be for the queue ``named``.

        Celery names its default queue where only an exchange was asked for. None if the bindings
        that are known lead to several queues, or to none while ``named`` hangs elsewhere.
        """
        found = self.bindings.find(exchange, key or "")
        if named in found:
            return named
        if len(found) == 1:
            return found.pop()
        if found or (named is not None and self.bindings.elsewhere(named, exchange)):
            return None
        return named

    def _learn(self, name: str, queue: str, learnt: str | None, at: float) -> None:
        self.note(queue, "event", at)
        if learnt is not None:
            self._learnt[name] = _AMBIGUOUS
        elif len(self._learnt) < self.limit * LESSONS and len(name) <= labels.MAX_LENGTH:
            self._learnt[name] = queue

    def infer(self, name: str, worker: Worker) -> str:
        """Return the queue of a task that no ``task-sent`` told of, or ``unknown``."""
        consumed = worker.queues
        if consumed is not None and len(consumed) == 1:
            return consumed[0]
        return self._learnt.get(name) or labels.UNKNOWN


def _routed_to(event: Event) -> str | None:
    """Return the queue that the routing key of a ``task-sent`` tells, or None."""
    key = event.routing_key
    delayed = _DELAYED.match(key or "")
    if delayed:
        return delayed[1]
    return key if key and event.exchange == "" else None
