"""The fleet: everything events have told, in one place, under one lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import (
    build as fleet_build,
    deaf_proof,
    deaf_subscription,
    event_types,
    lock,
    missed_events,
    objectives,
    queue_depth,
    task_closing,
    task_tracker,
    worker_gone,
    worker_stuck,
    workers,
)
from celery_sentinel.telemetry import polls

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from celery_sentinel import poll_results
    from celery_sentinel.config import schema
    from celery_sentinel.events.event import Event
    from celery_sentinel.fleet.worker import Worker

STALL = 5.0  # seconds between two calls after which it is we who were asleep
CLOCK_STEP = 5.0  # seconds by which our clock was set, not slewed


class Fleet:
    """Tasks, workers and queues as events and polls tell them.

    ``apply`` and ``tick`` are called by the receiver, what takes over polls by the pollers; each
    takes the lock by itself. All others read inside ``with fleet.lock.reading():``.
    """

    def __init__(self, config: schema.Config) -> None:
        self.lock = lock.TurnstileLock()
        self.failures = 0  # events whose application failed: a defect of ours
        self.last_failure: Exception | None = None
        self.last_event_at: float | None = None
        self.silence = deaf_subscription.Silence()
        # Whether the subscription before this one was dead.
        self.doubt: deaf_proof.Doubt | None = None
        self.queues = fleet_build.queue_table(config)
        self.series = fleet_build.series_table(config)
        self.records = fleet_build.record_table(config)
        self.closer = task_closing.Closer(self.records)
        audit = missed_events.MissedEvents(self.series, poll_interval=config.polling.workers)
        self.workers = self._worker_table(config, audit)
        self.tracker = task_tracker.Tracker(
            series=self.series,
            worker_table=self.workers,
            queue_table=self.queues,
            classifier=fleet_build.classifier(config),
            record_table=self.records,
            on_failure=self._failed,
        )
        self.backlog = queue_depth.Backlog(
            queue_table=self.queues,
            record_table=self.records,
            series_table=self.series,
            worker_table=self.workers,
            interval=config.polling.queues,
        )
        self.answers = fleet_build.answers_of(self, config, audit)
        self.polls: dict[str, polls.Poll] = {}
        self.room = fleet_build.room_of(self, config)
        self.objectives = self.room.asked = objectives.of(config, self.series.names)
        self._wedged_after = float(config.workers.wedged_after)
        self._forget_queues_after = float(config.queues.forget_after)
        self.wall = 0.0  # epoch seconds, of the last events or the last look
        self._last_tick: float | None = None
        self._clock_offset: float | None = None  # epoch less monotonic
        self._event_types = event_types.EventTypes(self._handlers())

    def _worker_table(
        self, config: schema.Config, audit: missed_events.MissedEvents
    ) -> workers.WorkerTable:
        return workers.WorkerTable(
            limit=config.metrics.limits.workers,
            forget_after=config.workers.forget_after,
            shutdown_timeout=config.workers.shutdown_timeout,
            audit=audit,
            on_lost=self._lost,
            on_idle=self._idle,
            on_left=self._left,
            on_given_up=self._given_up,
        )

    def _handlers(self) -> dict[str, Callable[[Event], None]]:
        return {
            **self.tracker.handlers(),
            "worker-heartbeat": self._heartbeat,
            "worker-online": self._online,
            "worker-offline": self._offline,
        }

    @property
    def event_counts(self) -> dict[str, int]:
        """How many events of each type were applied."""
        return self._event_types.counts

    @property
    def unknown_types(self) -> int:
        """How many events were of a type that is none of Celery's."""
        return self._event_types.unknown.count

    def load_event_counts(self, counts: Mapping[str, int], unknown_types: int) -> None:
        """Take over how many events there were of each type before a restart."""
        self._event_types.load(counts, unknown_types)

    def apply(self, batch: Sequence[Event], now: float, wall: float) -> None:
        """Apply events received at monotonic ``now`` and epoch ``wall``. Takes the lock."""
        known = self._event_types
        with self.lock:
            self.tracker.now = now
            self.wall = wall
            remaining = iter(batch)
            while True:
                try:
                    for event in remaining:
                        kind = known[event.type]
                        kind.count += 1
                        kind.apply(event)
                    break
                except Exception as error:  # noqa: BLE001 -- one event must not cost the others
                    self._failed(error)
            self.last_event_at = wall
            self.silence.heard_at = now

    def tick(
        self, now: float, wall: float, *, listening: bool, alive_at: float | None = None
    ) -> None:
        """Judge silences and sweep records; call about twice a second. Takes the lock.

        ``alive_at`` is when the broker gave its last sign of life, None for this moment.
        """
        with self.lock:
            stall = 0.0 if self._last_tick is None else now - self._last_tick
            if stall > STALL:
                self.workers.excuse(now, stall)
                self.silence.excuse(now, stall)
            self._last_tick = now
            self._note_clock(wall - now)
            self.tracker.now, self.wall = now, wall
            alive_at = now if alive_at is None else alive_at
            self.tracker.unmatched.release_due(now)
            self.workers.tick(now, listening=listening, alive_at=alive_at)
            self.records.sweep(now, wall)
            self.backlog.expire(now)
            self.answers.expire(now)
            self.room.look(now, wall)
            for worker in self.workers:
                worker_stuck.judge(worker, self.queues, now, after=self._wedged_after)

    def _note_clock(self, offset: float) -> None:
        """Move what is remembered in epoch seconds when our own clock has been set.

        Else a queue would seem long forgotten, a message a day old, and every worker late.
        """
        before, self._clock_offset = self._clock_offset, offset
        step = 0.0 if before is None else offset - before
        if abs(step) > CLOCK_STEP:
            self.queues.shift(step)
            self.workers.forget_delays()
            if self.last_event_at is not None:
                self.last_event_at += step

    def apply_reading(self, reading: poll_results.BrokerReading, now: float, wall: float) -> None:
        """Take over what a poll of the queues found. Takes the lock."""
        with self.lock:
            self.backlog.apply(reading, now, wall)

    def apply_answers(
        self,
        found: Sequence[poll_results.WorkerReading],
        *,
        asked_at: float,
        now: float,
        wall: float,
        among: Sequence[str] | None = None,
    ) -> None:
        """Take over what workers answered, of those ``among`` or of all. Takes the lock."""
        with self.lock:
            self.answers.apply(found, asked_at=asked_at, now=now, wall=wall, among=among)
            self.room.answered(found)
            self.queues.note_sent(self.series.sent_to(), wall)
            self.queues.forget(wall, self._forget_queues_after)

    def note_gone(self, names: Collection[str], asked_at: float, *, lasting: bool) -> None:
        """Note which workers the broker did not know any more at ``asked_at``. Takes the lock."""
        with self.lock:
            worker_gone.note(self.workers, names, asked_at, lasting=lasting)

    def note_queues(self, found: Iterable[tuple[str, str]], wall: float) -> None:
        """Remember queues the broker knows of, as (name, source) pairs. Takes the lock."""
        with self.lock:
            for name, source in found:
                self.queues.note(name, source, wall)

    def note_poll(
        self,
        name: str,
        trouble: poll_results.Trouble | None = None,
        *,
        duration: float,
        wall: float,
    ) -> None:
        """Note how a poll went, and why it failed if it did. Takes the lock."""
        with self.lock:
            poll = self.polls.setdefault(name, polls.Poll())
            poll.note(duration=duration, trouble=trouble, wall=wall)

    def resubscribed(self, now: float, *, amid: float | None = None) -> None:
        """Note that the stream stands again; it was renewed ``amid`` a silence since then, or None.

        Such a silence is not held for ours until a worker proves it (``deafness``). Takes the lock.
        """
        with self.lock:
            if amid is None:
                self.doubt = None
                self.workers.resubscribed(now)
            else:
                self.doubt = self.doubt or deaf_proof.Doubt(self.workers, since=amid, now=now)
                self.doubt.renewed_at = now
                self.workers.renewed(now)
            self.silence.subscribed(now)

    def deafness(self, now: float) -> float | None:
        """Return since when the subscription before had been dead, once that is proven.

        The doubt ends with that, or some seconds after the renewal. Takes the lock.
        """
        with self.lock:
            if self.doubt is None:
                return None
            since = None
            if self.doubt.is_proven(self.workers):
                since = self.doubt.since
                self.workers.resubscribed(self.doubt.renewed_at)
            if since is not None or self.doubt.is_over(now):
                self.doubt = None
            return since

    def deaf_since(self, now: float) -> float | None:
        """Return since when we may be deaf (monotonic), None if we are not. Takes the lock."""
        with self.lock:
            return self.silence.suspicious_since(self.workers, now)

    def reconfigure(self, config: schema.Config) -> None:
        """Take over what can change while running: queue names, categories, objectives."""
        with self.lock:
            self.queues.configure(
                watch=fleet_build.watched(config),
                ignore=fleet_build.ignored(config),
                dead_letter=config.queues.dead_letter,
            )
            self._forget_queues_after = float(config.queues.forget_after)
            self._wedged_after = float(config.workers.wedged_after)
            self.tracker.classifier = fleet_build.classifier(config)
            self.objectives = self.room.asked = objectives.of(config, self.series.names)

    def _heartbeat(self, event: Event) -> None:
        self.workers.heartbeat(event, self.tracker.now, self.wall)

    def _online(self, event: Event) -> None:
        self.workers.online(event, self.tracker.now, self.wall)

    def _offline(self, event: Event) -> None:
        self.workers.offline(event, self.tracker.now, self.wall)

    def _failed(self, error: Exception) -> None:
        self.failures, self.last_failure = self.failures + 1, error

    def _lost(self, worker: Worker) -> None:
        self.tracker.unmatched.release_of(worker)
        self.closer.lose(worker, self.tracker.now)

    def _idle(self, worker: Worker, before: float) -> None:
        self.closer.close_idle(worker, before, self.tracker.now)

    def _given_up(self, worker: Worker) -> None:
        self.closer.give_up(worker, self.tracker.now, self.wall)

    def _left(self, worker: Worker) -> None:
        self.tracker.unmatched.release_of(worker)
        self.closer.close_left(worker, self.tracker.now)
