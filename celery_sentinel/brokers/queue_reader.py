"""The protocol by which the poller asks any kind of broker about its queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel import readings

TIMEOUT = 3.0  # seconds for one answer; a poll that takes longer has failed


class QueueReader(Protocol):
    """Reads depths; used by one thread, connects by itself, keeps nothing but its connection.

    All methods raise ``errors.BrokerError`` when the broker does not answer in time; the next
    call connects afresh.
    """

    def read(self, names: Sequence[str]) -> readings.BrokerReading:
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
