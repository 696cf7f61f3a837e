"""Asks the workers what they are and hold, and to send task events where they do not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from celery_sentinel import errors, logs
from celery_sentinel.fleet.worker import State
from celery_sentinel.poller import gone_workers

if TYPE_CHECKING:
    from celery_sentinel.fleet import model
    from celery_sentinel.remote_control import client as remote_control, mailboxes
    from celery_sentinel.telemetry import subscription

NEW_WORKER_AFTER = 2.0  # seconds a new worker gets to listen before it is asked out of turn
# A worker says hello before it listens to commands, so the first request may go unheard.
ASKED_TWICE_AFTER = 5.0  # seconds
EVENTS_TWICE_AFTER = 5.0
EVENTS_AGAIN_AFTER = 30.0  # seconds, while the worker is known to send no task events
MOST_NAMED = 20  # workers in one line of the log
RETRY_AFTER = 5.0  # seconds from a round that failed to the next


class _Asked(NamedTuple):
    """When (monotonic) which process was to be asked last, and how often it really was."""

    pid: int | None
    at: float
    times: int


class _Turn(NamedTuple):
    """When (monotonic) a newcomer is to be asked out of turn, and how often it may be."""

    due: float
    left: int = 2


class _Known(NamedTuple):
    """What matters here of a worker that is up."""

    hostname: str
    pid: int | None
    enabled: bool | None
    stalled: bool  # it seems to be stuck, unless a rate limit explains it


class WorkerPoll:
    """The questions to workers; ``enable`` may be switched while running.

    Each process is asked for task events twice, and again while it is known to send none. The
    setting does not outlive the process, so a new process id is asked anew.
    """

    name = "workers"

    def __init__(
        self,
        asking: remote_control.Control,
        fleet: model.Fleet,
        connection: subscription.Subscription,
        *,
        interval: float,
        timeout: float,
        enable: bool,
        looking: mailboxes.Mailboxes | None = None,
    ) -> None:
        self.enable = enable
        self._control = asking
        self._gone_workers = gone_workers.GoneWorkers(looking, fleet) if looking else None
        self._fleet = fleet
        self._connection = connection
        self._interval = interval
        self._timeout = timeout
        self._next = 0.0
        self._turns: dict[tuple[str, int | None], _Turn] = {}
        self._asked: dict[str, _Asked] = {}
        self._unable = False  # the last request for events could not be sent
        self._log = logs.get(__name__)

    def due(self, now: float) -> bool:
        """Tell whether a round is due, for all or for newcomers; requests events on the way."""
        known = self._known()
        self._note_newcomers(known, now)
        if self.enable and self._connection.up:
            self._request_events(known, now)
        if self._gone_workers is not None and self._gone_workers.due(now):
            self._next = min(self._next, now)
        return now >= self._next or bool(self._newcomers(now))

    def ask(self) -> None:
        """Ask everybody everything, or newcomers out of turn, and note the answers."""
        asked_at = time.monotonic()
        among, stalled = None, list[str]()
        if asked_at >= self._next:
            self._next = asked_at + self._interval
            known = self._known()
            expected = [one.hostname for one in known]
            stalled = [one.hostname for one in known if one.stalled]
        else:
            among = expected = self._newcomers(asked_at)
        turns = {key: turn for key, turn in self._turns.items() if _has_come(turn, asked_at)}
        if among is None and self._gone_workers is not None:
            self._gone_workers.begin(asked_at)
        again = asked_at + ASKED_TWICE_AFTER
        self._turns |= {key: _Turn(again, turn.left - 1) for key, turn in turns.items()}
        try:
            found = self._control.ask(
                expected=expected, timeout=self._timeout, among=among, stalled=stalled
            )
        except errors.BrokerError:
            self._next = min(self._next, time.monotonic() + RETRY_AFTER)
            raise
        finally:
            self._connection.failures["control"] = self._control.unreadable
        answered = {one.hostname for one in found}
        self._turns |= {key: _Turn(again, 0) for key in turns if key[0] in answered}
        self._fleet.apply_answers(
            found, asked_at=asked_at, now=time.monotonic(), wall=time.time(), among=among
        )
        if among is None and self._gone_workers is not None:
            self._gone_workers.end({one.hostname for one in found})
            self._gone_workers.raise_trouble()

    def _note_newcomers(self, known: list[_Known], now: float) -> None:
        """Give each process its turns; one that has had them is known to have."""
        first = _Turn(now + NEW_WORKER_AFTER)
        self._turns = {
            (one.hostname, one.pid): self._turns.get((one.hostname, one.pid), first)
            for one in known
        }

    def _newcomers(self, now: float) -> list[str]:
        """Return the processes that have had time to listen and have not answered yet."""
        return [hostname for (hostname, _), turn in self._turns.items() if _has_come(turn, now)]

    def close(self) -> None:
        """Drop the connection."""
        self._control.close()

    def _known(self) -> list[_Known]:
        with self._fleet.lock.reading():
            return [
                _Known(
                    worker.hostname,
                    worker.pid,
                    worker.events_enabled,
                    worker.limits_asked is not None,
                )
                for worker in self._fleet.workers
                if worker.state is State.UP
            ]

    def _request_events(self, known: list[_Known], now: float) -> None:
        alive = {one.hostname for one in known}
        self._asked = {name: asked for name, asked in self._asked.items() if name in alive}
        silent = [one for one in known if self._is_silent(one, now)]
        if not silent:
            return
        hostnames = [one.hostname for one in silent]
        try:
            self._control.tell("enable_events", hostnames)
        except errors.BrokerError as error:
            self._note_asked(silent, now, times=0)
            self._connection.control["failed"] += 1
            if not self._unable:
                self._log.warning(
                    "enable_events_failed", error=str(error), workers=hostnames[:MOST_NAMED]
                )
            self._unable = True
            return
        self._unable = False
        self._note_asked(silent, now, times=1)
        self._connection.control["asked"] += len(silent)
        self._log.info("enable_events_asked", workers=hostnames[:MOST_NAMED], count=len(hostnames))

    def _note_asked(self, silent: list[_Known], now: float, *, times: int) -> None:
        for one in silent:
            earlier = self._asked.get(one.hostname)
            before = earlier.times if earlier is not None and earlier.pid == one.pid else 0
            self._asked[one.hostname] = _Asked(one.pid, now, before + times)

    def _is_silent(self, one: _Known, now: float) -> bool:
        """Tell whether a worker is to be asked for task events now."""
        asked = self._asked.get(one.hostname)
        if one.enabled:
            return False
        if asked is None or asked.pid != one.pid:
            return True
        if asked.times < 2:  # noqa: PLR2004 -- the first may have gone unheard
            return now - asked.at > EVENTS_TWICE_AFTER
        return one.enabled is False and now - asked.at > EVENTS_AGAIN_AFTER


def _has_come(turn: _Turn, now: float) -> bool:
    return turn.left > 0 and now >= turn.due
