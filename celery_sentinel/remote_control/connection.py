"""What remote control needs of a connection to a broker; each kind of broker has one of its own."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

TIMEOUT = 5.0  # seconds to connect, and for whatever a broker itself answers


class Message(NamedTuple):
    """An answer as it came; nothing of it has been looked at but its headers."""

    ticket: object
    content_type: object
    body: object


class MalformedError(ValueError):
    """A message that is none, and is gone; the next one is not affected."""


class Line(Protocol):
    """A connection with a reply queue of our own; used by one thread.

    Whatever a library raises may come out of it. Then it is dropped, and opened again.
    """

    reply_to: dict[str, str]  # for the workers: exchange and routing key of the reply queue

    def open(self) -> None:
        """Connect."""

    def prepare(self) -> bool:
        """Make ready for a round; tell whether there is anything that workers listen to."""

    def publish(self, message: dict[str, Any], headers: dict[str, Any]) -> None:
        """Send a message to all workers."""

    def receive(self, timeout: float) -> Message | None:
        """Return the next answer, None if there is none within ``timeout`` seconds.

        Raises ``MalformedError`` for a message that is none.
        """

    def end(self) -> None:
        """Clear away after a round."""

    def check(self) -> None:
        """Raise if the broker itself does not answer."""

    def close(self) -> None:
        """Leave nothing behind, and disconnect; raises nothing."""

    def drop(self) -> None:
        """Disconnect at once from a broker that may not answer; raises nothing."""
