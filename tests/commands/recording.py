"""What a daemon said, counted by the lines of the list, and all that was not on it."""

from __future__ import annotations

import collections
import re
import threading
from typing import TYPE_CHECKING

from tests.commands import allowed, amqp_frames, http_requests, resp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.servers import relay

_SHOWN = 300  # characters of what is not on the list


class Recording:
    """Counts what passes over any number of connections.

    ``counts`` has the lines of the list, ``strays`` what is on none, ``refused`` the errors with
    which the server declined to do something.
    """

    def __init__(self, listed: allowed.AllowList) -> None:
        self.counts = collections.Counter(dict.fromkeys(listed.lines, 0))
        self.unmatched: collections.Counter[str] = collections.Counter()
        self.refused: collections.Counter[str] = collections.Counter()
        self._listed = listed
        self._lock = threading.Lock()

    @property
    def total(self) -> int:
        """How much was said."""
        return self.counts.total() + self.unmatched.total()

    def redis(self) -> relay.Ears:
        """Hear one more connection to Redis."""
        return resp.ears(self.note, self._note_refused)

    def rabbitmq(self) -> relay.Ears:
        """Hear one more connection to RabbitMQ."""
        return amqp_frames.ears(self.note, self._note_refused)

    def http(self) -> relay.Ears:
        """Hear one more connection to an HTTP server."""
        return http_requests.ears(self.note, self._note_refused)

    def note(self, words: Sequence[str]) -> None:
        """Count what was said."""
        line = self._listed.line_of(words)
        with self._lock:
            if line is None:
                self.unmatched[_alike(words)] += 1
            else:
                self.counts[line] += 1

    def _note_refused(self, text: str) -> None:
        with self._lock:
            self.refused[text] += 1


def _alike(words: Sequence[str]) -> str:
    """Return the words as one text, the same for random names and for numbers."""
    text = allowed.UUID.sub("<uuid>", " ".join(words))
    return " ".join(re.sub(r"\b\d[\d.]*\b", "<number>", text).split())[:_SHOWN]
