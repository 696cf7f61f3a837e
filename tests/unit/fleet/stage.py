"""Plays events to a fleet on clocks of its own, and reads what would be exposed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from celery_sentinel import poll_results
from celery_sentinel.config import schema
from celery_sentinel.events.event import Event
from celery_sentinel.fleet import model
from celery_sentinel.metrics import samples
from celery_sentinel.metrics.collectors import objectives, queues, sentinel, tasks, workers
from celery_sentinel.telemetry import subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from celery_sentinel.fleet.task_records import TaskRecord
    from celery_sentinel.fleet.worker import Worker
    from celery_sentinel.metrics import catalogue

EPOCH = 1_700_000_000.0
WORKER = "w1@host"
TASK = "shop.pay"
QUEUE = "billing"
ID = "0e8a"

Labels = tuple[str, ...]


class Stage:
    """A fleet and its two clocks: ``now`` (monotonic) and ``wall`` (epoch), in seconds.

    The moment for which events may be held is over at once, unless it is ``holding``.
    """

    def __init__(self, config: schema.Config | None = None, *, holding: bool = False) -> None:
        self.fleet = model.Fleet(config or schema.Config())
        self.now = 1000.0
        self.wall = EPOCH
        self.holding = holding
        self.stream = subscription.Subscription(transport="redis", url="redis://localhost:6379/0")

    # --- events ---------------------------------------------------------------------------

    def hear(self, type_: str, *, at: float | None = None, **fields: Any) -> None:
        """Apply one event, stamped ``at`` seconds after EPOCH (now, if not given)."""
        stamp = self.wall if at is None else EPOCH + at
        given = {"timestamp": stamp, **fields}
        self.fleet.apply([Event(type=type_, **given)], self.now, self.wall)
        if not self.holding:
            self.settle()

    def sent(self, uuid: str = ID, *, at: float | None = None, **fields: Any) -> None:
        """Apply a ``task-sent`` of a producer."""
        given = {"hostname": "gen7@web", "name": TASK, "queue": QUEUE, **fields}
        self.hear("task-sent", at=at, uuid=uuid, **given)

    def received(self, uuid: str = ID, *, at: float | None = None, **fields: Any) -> None:
        """Apply a ``task-received``."""
        self.hear("task-received", at=at, uuid=uuid, **{"hostname": WORKER, "name": TASK, **fields})

    def started(self, uuid: str = ID, *, at: float | None = None, **fields: Any) -> None:
        """Apply a ``task-started``."""
        self.hear("task-started", at=at, uuid=uuid, **{"hostname": WORKER, **fields})

    def ended(
        self, how: str = "succeeded", uuid: str = ID, *, at: float | None = None, **fields: Any
    ) -> None:
        """Apply a ``task-<how>``."""
        self.hear(f"task-{how}", at=at, uuid=uuid, **{"hostname": WORKER, **fields})

    def beat(self, hostname: str = WORKER, *, at: float | None = None, **fields: Any) -> None:
        """Apply a ``worker-heartbeat``."""
        given = {"pid": 7, "freq": 2.0, "active": 0, "processed": 0, **fields}
        self.hear("worker-heartbeat", at=at, hostname=hostname, **given)

    def online(self, hostname: str = WORKER, *, at: float | None = None, **fields: Any) -> None:
        """Apply a ``worker-online``."""
        given = {"pid": 7, "freq": 2.0, "active": 0, "processed": 0, **fields}
        self.hear("worker-online", at=at, hostname=hostname, **given)

    def offline(self, hostname: str = WORKER, *, at: float | None = None, **fields: Any) -> None:
        """Apply a ``worker-offline``."""
        self.hear("worker-offline", at=at, hostname=hostname, **{"pid": 7, **fields})

    # --- polls ----------------------------------------------------------------------------

    def answer(
        self, hostname: str | None = WORKER, *, among: Sequence[str] | None = None, **said: Any
    ) -> None:
        """Apply a round that took no time and in which one worker, or none, answered."""
        found = [] if hostname is None else [poll_results.WorkerReading(hostname=hostname, **said)]
        self.answers(found, among=among)

    def answers(
        self, found: Sequence[poll_results.WorkerReading], *, among: Sequence[str] | None = None
    ) -> None:
        """Apply a round that took no time."""
        self.fleet.apply_answers(
            found, asked_at=self.now, now=self.now, wall=self.wall, among=among
        )

    def gone(self, *hostnames: str, lasting: bool = True) -> None:
        """Apply a look at the broker that did not find these workers, or WORKER, any more."""
        self.fleet.note_gone(hostnames or (WORKER,), self.now, lasting=lasting)

    def read(self, found: Mapping[str, poll_results.QueueReading], **broker: Any) -> None:
        """Apply a reading of some queues, made now."""
        reading = poll_results.BrokerReading(queues=dict(found), **{"round_trip": 0.002, **broker})
        self.fleet.apply_reading(reading, self.now, self.wall)

    def read_length(self, queue: str, length: int | None) -> None:
        """Apply a reading of one queue that tells no more than its length."""
        self.read({queue: poll_results.QueueReading(length=length)})

    # --- time -----------------------------------------------------------------------------

    def pass_time(self, seconds: float, *, step: float = 0.5, listening: bool = True) -> None:
        """Let time pass, ticking as the receiver does."""
        end = self.now + seconds
        while self.now < end:
            self.jump(min(step, end - self.now))
            self.tick(listening=listening)

    def jump(self, seconds: float) -> None:
        """Let time pass without a tick."""
        self.now += seconds
        self.wall += seconds

    def tick(self, *, listening: bool = True) -> None:
        """Look at silences and overdue records once."""
        self.fleet.tick(self.now, self.wall, listening=listening)

    def settle(self) -> None:
        """Let the moment be over for which events are held."""
        with self.fleet.lock:
            self.fleet.tracker.unmatched.release_due(float("inf"))

    # --- what shows -----------------------------------------------------------------------

    def children(self, metric: catalogue.Metric) -> dict[Labels, Any]:
        """Return what the collectors say of one metric: value by label values.

        What is held for a moment is applied before: as if that were over.
        """
        self.settle()
        collected = (
            *tasks.collect(self.fleet, compat=True),
            *workers.collect(self.fleet),
            *queues.collect(self.fleet, self.stream, compat=True),
            *objectives.collect(self.fleet),
            *sentinel.collect(self.fleet, self.stream),
        )
        (family,) = [family for family in collected if family.metric is metric]
        found = dict(family.children)
        assert len(found) == len(family.children), "a child is there twice"
        return found

    def value(self, metric: catalogue.Metric, *labels: str) -> Any:
        """Return one child's value; None where it is absent."""
        return self.children(metric).get(labels)

    def total(self, metric: catalogue.Metric) -> float:
        """Return the sum over all children."""
        return float(sum(self.children(metric).values()))

    def distribution(self, metric: catalogue.Metric, *labels: str) -> tuple[int, float]:
        """Return count and sum of a histogram; (0, 0.0) where it is absent."""
        found = self.value(metric, *labels)
        if found is None:
            return 0, 0.0
        assert isinstance(found, samples.Distribution)
        return sum(found.counts), found.sum

    def record(self, uuid: str = ID) -> TaskRecord:
        """Return what is remembered of a task."""
        self.settle()
        return self.fleet.records.by_id[uuid]

    def worker(self, hostname: str = WORKER) -> Worker:
        """Return what is remembered of a worker."""
        return self.fleet.workers.by_hostname[hostname]
