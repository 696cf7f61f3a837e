"""The event thread: connects, reads, applies, and makes every break of the stream a known gap."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

from celery_sentinel import errors, logs
from celery_sentinel.brokers import failure_reasons

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel.brokers import protocols
    from celery_sentinel.fleet import model
    from celery_sentinel.telemetry import subscription

TICK = 0.5  # seconds between two looks at silences and overdue records
FIRST_BACKOFF = 0.2
LONGEST_BACKOFF = 10.0


class Receiver:
    """Owns the event stream and applies what it brings to the fleet.

    ``run`` is the body of its thread; it returns when ``stop`` was called and raises only what
    nobody expected. ``beat`` is the monotonic time of the last turn of its loop.
    """

    def __init__(
        self,
        *,
        source: protocols.EventStream,
        fleet: model.Fleet,
        connection: subscription.Subscription,
        scrub: Callable[[str], str],
        jitter: random.Random | None = None,
    ) -> None:
        self.beat = time.monotonic()
        self._source = source
        self._fleet = fleet
        self._connection = connection
        self._connection.durable = source.durable
        self._scrub = scrub
        self._jitter = jitter or random.Random()  # noqa: S311 -- spreads reconnects, no secret
        self._stopping = threading.Event()
        self._log = logs.get(__name__)
        self._attempts = 0
        self._connected_at = 0.0
        self._ticked_at = 0.0
        self._silent_since: float | None = None  # a silence amid which we subscribe anew
        self._doubtful = False  # the subscription was renewed, and whether it had been dead is open

    def stop(self) -> None:
        """Ask the thread to end; it does within one read."""
        self._stopping.set()

    def run(self) -> None:
        """Receive until stopped."""
        try:
            while not self._stopping.is_set():
                if self._connect():
                    self._receive()
                    self._rest()
        finally:
            self._source.close()

    def _receive(self) -> None:
        """Read and apply until the stream breaks or we are stopped."""
        read, apply = self._source.read, self._fleet.apply
        clock, wall, stopped = time.monotonic, time.time, self._stopping.is_set
        try:
            while not stopped():
                batch = read()
                now = self.beat = clock()
                if batch:
                    apply(batch, now, wall())
                    if self._doubtful:
                        self._judge_silence(now)
                if now - self._ticked_at >= TICK:
                    self._tick(now, wall())
        except errors.BrokerError as error:
            self._broken(error)
        except Exception as error:  # noqa: BLE001 -- a library's own; the stream must go on
            self._broken(self._unforeseen(error))

    def _tick(self, now: float, wall: float) -> None:
        """Look at what only time brings; raise if the subscription seems to be dead."""
        self._ticked_at = now
        self._fleet.tick(now, wall, listening=True, alive_at=self._source.heard_at)
        if self._source.overflowed():
            self._connection.overflowed()
            self._log.warning("durable_queue_overflowed", broker=self._connection.url)
        deaf_since = self._fleet.deaf_since(now)
        if deaf_since is not None:
            raise errors.BrokerError(
                f"no event for {now - deaf_since:.0f} s from workers that beat",
                reason="watchdog",
                since=deaf_since,
                doubtful=True,
            )

    def _judge_silence(self, now: float) -> None:
        """Count the silence before a renewal as a gap, once a worker shows that it was one."""
        since = self._fleet.deafness(now)
        self._doubtful = self._fleet.doubt is not None
        if since is not None:
            seconds = self._connection.was_deaf(since)
            self._log.warning(
                "subscription_was_dead", broker=self._connection.url, gap_seconds=round(seconds, 3)
            )

    def _rest(self) -> None:
        """Wait before the next attempt if the stream was short-lived: a broker may hang up at once.

        One that had stood is made again without any wait, for the gap's sake.
        """
        if time.monotonic() - self._connected_at >= LONGEST_BACKOFF:
            self._attempts = 0
        else:
            self._wait(self._backoff())

    def _connect(self) -> bool:
        """Try once to subscribe; on failure wait before the next try."""
        try:
            self._source.connect()
        except errors.BrokerError as error:
            return self._retry_later(error)
        except Exception as error:  # noqa: BLE001 -- a library's own; we try for ever
            return self._retry_later(self._unforeseen(error))
        now = time.monotonic()
        kept = self._source.kept
        gap = self._connection.connected(now, time.time(), kept=kept)
        self._fleet.resubscribed(now, amid=self._silent_since)
        self._doubtful, self._silent_since = self._fleet.doubt is not None, None
        self._connected_at = now
        where = {"broker": self._connection.url}
        if self._doubtful:
            self._log.info("subscription_renewed", **where)
        elif gap is None:
            self._log.info("broker_connected", **where)
        elif kept:
            self._log.info("broker_resumed", away_seconds=round(gap, 3), **where)
        else:
            self._log.warning("broker_reconnected", gap_seconds=round(gap, 3), **where)
        return True

    def _retry_later(self, error: errors.BrokerError) -> bool:
        self._broken(error)
        self._wait(self._backoff(), unless_polled=True)
        return False

    def _unforeseen(self, error: Exception) -> errors.BrokerError:
        """Count and log an exception no broker module foresaw, and take it for a break."""
        self._connection.failures["receiver"] += 1
        self._log.error("receiver_failed", exc_info=error)
        return errors.BrokerError(f"{type(error).__name__}: {error}")

    def _broken(self, error: errors.BrokerError) -> None:
        """Note a break or a failed attempt; one log line for each change of state."""
        connection = self._connection
        if error.doubtful and connection.doubted():
            self._silent_since = error.since
            return
        self._silent_since = None
        known = connection.last_error is not None
        news = "broker_lost" if connection.up else "broker_unreachable"
        text = self._scrub(str(error))
        connection.last_reason = failure_reasons.of(error)
        connection.lost(
            time.monotonic(), time.time(), reason=error.reason, error=text, since=error.since
        )
        if not known:
            self._log.warning(news, broker=connection.url, error=text)

    def _backoff(self) -> float:
        """Return the next wait: doubling, at most 10 s, spread over its upper half."""
        longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(self._attempts, 10))
        self._attempts += 1
        return longest * self._jitter.uniform(0.5, 1.0)

    def _wait(self, seconds: float, *, unless_polled: bool = False) -> None:
        """Wait, ticking on: silence is ours while the broker is away.

        With ``unless_polled`` no longer than until a poll finds the broker to be back.
        """
        began, until = time.time(), time.monotonic() + seconds
        while (now := time.monotonic()) < until and not self._stopping.is_set():
            self.beat = now
            self._fleet.tick(now, time.time(), listening=False)
            self._stopping.wait(min(TICK, until - now))
            if unless_polled and self._polled_since(began):
                return

    def _polled_since(self, wall: float) -> bool:
        """Tell whether the broker has told about its queues since then (epoch seconds)."""
        poll = self._fleet.polls.get("queues")
        return poll is not None and bool(poll.success) and (poll.last_success or 0.0) > wall
