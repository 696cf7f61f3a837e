"""The protocols of a broker: a stream of events, and what the poller asks about queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel import poll_results
    from celery_sentinel.events.event import Event

CONNECT_TIMEOUT = 5.0  # seconds, for each address
READ_TIMEOUT = 0.5  # seconds a read waits, and so the longest a stop or a tick waits for it
RECEIVE_BYTES = 256 * 1024
ANSWER_TIMEOUT = 3.0  # seconds for one answer about queues; a poll that takes longer has failed


class EventStream(Protocol):
    """A subscription to Celery's events; used by one thread.

    ``connect`` and ``read`` raise ``errors.BrokerError`` when the broker cannot be reached or
    was lost; the stream may then be connected again. No method retries by itself: every break
    is the caller's to count. What ``read`` returned is taken as dealt with at the next call.

    ``durable`` tells whether the broker keeps events while we are away, ``kept`` whether all of
    them were there at the latest ``connect``.
    """

    @property
    def durable(self) -> bool:
        """Whether the broker keeps events while we are away."""

    @property
    def kept(self) -> bool:
        """Whether it did before the latest ``connect``, as far as could be told then."""

    @property
    def heard_at(self) -> float:
        """When the broker last gave a sign of life (monotonic)."""

    def connect(self) -> None:
        """Connect and subscribe; whatever connection there was is dropped first."""

    def read(self) -> list[Event]:
        """Return the events that have arrived; an empty list after a quiet moment."""

    def overflowed(self) -> bool:
        """Tell, once, that there had been more to keep than the broker was to keep."""

    def close(self) -> None:
        """Drop the connection; may be called twice."""


class QueueReader(Protocol):
    """Reads depths; used by one thread, connects by itself, keeps nothing but its connection.

    All methods raise ``errors.BrokerError`` when the broker does not answer in time; the next
    call connects afresh.
    """

    def read(self, names: Sequence[str]) -> poll_results.BrokerReading:
        """Return what there is to know of these queues; one that does not exist is empty."""

    def discover(self) -> Iterable[tuple[str, str]]:
        """Return (queue, source) pairs that the broker knows of, a portion at a time."""

    def elsewhere(self) -> Sequence[str]:
        """Return sentences that say where else on this broker Celery is.

        It is asked while no worker is heard, and may take as long as a worker takes to send a
        heartbeat.
        """

    def close(self) -> None:
        """Drop the connection; may be called twice."""
