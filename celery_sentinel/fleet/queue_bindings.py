"""Where an exchange puts a message, as far as the workers that consume the queues have told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel import poll_results

MOST_EXCHANGES = 1000
MOST_EACH = 200  # bindings of one exchange
MOST_WORDS = 32  # in a binding key with wildcards
FANOUT, TOPIC = "fanout", "topic"


class Bindings:
    """The bindings of exchanges that have a name; ``version`` grows with every new one.

    A binding that is no more stays: where it leads elsewhere than another one the queue of a
    message is unknown.
    """

    def __init__(self) -> None:
        self.version = 0
        self._of: dict[str, dict[tuple[str, str, str], list[str]]] = {}
        self._exchanges: dict[str, set[str]] = {}

    def note(self, told: poll_results.Binding, queue: str) -> None:
        """Remember a binding of the queue that is kept under the name ``queue``."""
        words = told.key.split(".")
        if told.type == TOPIC and len(words) > MOST_WORDS:
            return
        found = self._of.get(told.exchange)
        if found is None:
            if len(self._of) >= MOST_EXCHANGES:
                return
            found = self._of[told.exchange] = {}
        place = (queue, told.type, told.key)
        if place not in found and len(found) < MOST_EACH:
            found[place] = words
            self._exchanges.setdefault(queue, set()).add(told.exchange)
            self.version += 1

    def elsewhere(self, queue: str, exchange: str) -> bool:
        """Tell whether a queue is known to hang on other exchanges only."""
        known = self._exchanges.get(queue)
        return known is not None and exchange not in known

    def find(self, exchange: str, key: str) -> set[str]:
        """Return the queues to which an exchange puts a message with that routing key."""
        words = key.split(".")[: MOST_WORDS * 8]
        return {
            queue
            for (queue, kind, bound), pattern in self._of.get(exchange, {}).items()
            if kind == FANOUT or bound == key or (kind == TOPIC and matches(pattern, words))
        }


def matches(pattern: Sequence[str], words: Sequence[str]) -> bool:
    """Tell whether a topic's binding key matches: ``*`` is one word, ``#`` any number of them."""
    at = place = 0
    star, resume = -1, 0
    while at < len(words):
        if place < len(pattern) and pattern[place] == "#":
            star, resume = place, at
            place += 1
        elif place < len(pattern) and pattern[place] in {"*", words[at]}:
            at += 1
            place += 1
        elif star >= 0:
            resume += 1
            at, place = resume, star + 1
        else:
            return False
    return all(rest == "#" for rest in pattern[place:])
