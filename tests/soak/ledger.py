"""The books: what the workers did against what the daemon says they did.

``deficit`` is the truth less the counts, for each outcome. While the stream stands, a drained
fleet leaves it as it was: each event was counted once. Over a gap it may grow and never fall:
what was not heard is not invented, and what comes late counts once. Of that growth the daemon
itself must have missed, in its own words, every task that was started.
"""

from __future__ import annotations

import collections
import time
from typing import TYPE_CHECKING

from tests.servers import daemon
from tests.soak import fleet

if TYPE_CHECKING:
    from tests.servers import producer
    from tests.soak import watcher

Counts = collections.Counter[str]

MISSED = "celery_sentinel_events_missed_total"
_SETTLE_SECONDS = 60.0
_CONCLUDED_SECONDS = 120.0  # a loss shows after three heartbeats and a poll of the workers


class Ledger:
    """Keeps the deficit from one comparison to the next."""

    def __init__(
        self, workers: fleet.Fleet, sending: producer.Producer, watching: watcher.Watcher
    ) -> None:
        self._workers = workers
        self._sending = sending
        self._watching = watching
        self._deficit: Counts = collections.Counter()
        self._gaps = 0.0
        self._missed = 0.0

    @property
    def deficit(self) -> Counts:
        """What had not been counted at the last comparison, in all."""
        return self._deficit

    @property
    def unbroken(self) -> bool:
        """Whether the stream has stood since the last comparison."""
        return gaps(self._watching.latest) == self._gaps

    def truth(self) -> Counts:
        """Return what really happened, by outcome.

        A retry is sent again by its worker; an unregistered task fails without being received.
        """
        truth = self._workers.truth()
        known = collections.Counter({outcome: truth[outcome] for outcome in fleet.OUTCOMES})
        known["failed"] += truth["unknown"]
        known["sent"] = self._sending.sent.total() + truth["retried"]
        return known

    def compare(self, *, tail: Counts | None = None, running: int = 0) -> None:
        """Demand equality if the stream has stood since the last time, else close the gap.

        Of the ``tail`` of workers that fell meanwhile, which could run ``running`` tasks at once,
        any part may be unheard and not missed either.
        """
        if self.unbroken:
            self._demand(self._deficit)
        else:
            self._close_gap(tail or collections.Counter(), running)
        self._note()

    def compare_after_kill(self, tail: Counts, running: int) -> None:
        """Demand equality but for the last moments of a worker that was killed.

        Of ``tail``, what it did in them, any part may be unheard. What it was about to do may
        have been heard and never done: no more than it could run at once, ``running``.
        """
        self._demand(self._deficit, less=running, more=tail)
        self._note()

    def _demand(self, wanted: Counts, *, less: int = 0, more: Counts | None = None) -> None:
        allowed = more or collections.Counter()

        def agreed(samples: daemon.Samples) -> bool:
            found = _difference(self.truth(), counted(samples))
            missed = _missed(samples) - self._missed
            return all(
                wanted[one] - less <= lacking <= wanted[one] + allowed[one]
                for one, lacking in found.items()
            ) and 0 <= missed <= max(0, found["started"] - wanted["started"])

        try:
            self._watching.wait(agreed, _SETTLE_SECONDS, "the counts equal the truth")
        except TimeoutError:
            found = _difference(self.truth(), counted(self._watching.latest))
            missed = _missed(self._watching.latest) - self._missed
            raise AssertionError(
                f"not counted are {dict(found)}, not {dict(wanted)}; missed {missed:.0f} more"
            ) from None

    def _close_gap(self, tail: Counts, running: int) -> None:
        since, last = time.monotonic(), -1.0

        def explained(samples: daemon.Samples) -> bool:
            nonlocal since, last
            found = _difference(self.truth(), counted(samples))
            missed = _missed(samples) - self._missed
            if missed != last:
                since, last = time.monotonic(), missed
            unexplained = found["started"] - self._deficit["started"] - missed
            if not tail:
                return unexplained == 0
            rest = time.monotonic() - since
            return -running <= unexplained <= tail["started"] and rest > _CONCLUDED_SECONDS / 3

        try:
            self._watching.wait(explained, _CONCLUDED_SECONDS, "the gap's starts are missed")
        except TimeoutError:
            self._watching.check()
            missed = _missed(self._watching.latest) - self._missed
            found = _difference(self.truth(), counted(self._watching.latest))
            lacking = found["started"] - self._deficit["started"]
            raise AssertionError(f"{missed:.0f} are missed and {lacking} are lacking") from None
        # The counts first, then the truth: it may have grown in between, and they may not.
        samples = self._watching.latest
        found = _difference(self.truth(), counted(samples))
        for outcome, lacking in found.items():
            if lacking < self._deficit[outcome] - running:
                raise AssertionError(f"{outcome}: more was counted than happened: {dict(found)}")

    def _note(self) -> None:
        samples = self._watching.latest
        self._deficit = _difference(self.truth(), counted(samples))
        self._gaps = gaps(samples)
        self._missed = _missed(samples)


def counted(samples: daemon.Samples) -> Counts:
    """Return what the daemon has counted, by outcome."""
    return collections.Counter(
        {
            outcome: int(daemon.total(samples, f"celery_task_{outcome}_total") or 0)
            for outcome in ("sent", *fleet.OUTCOMES)
        }
    )


def gaps(samples: daemon.Samples) -> float:
    """Return how often the stream has broken."""
    return daemon.total(samples, "celery_sentinel_stream_gaps_total") or 0.0


def _missed(samples: daemon.Samples) -> float:
    return daemon.total(samples, MISSED) or 0.0


def _difference(truth: Counts, counts: Counts) -> Counts:
    """Subtract, and keep what is negative or zero."""
    return collections.Counter({one: truth[one] - counts[one] for one in truth})
