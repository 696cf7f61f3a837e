"""Events of plausible task lives, as the dispatchers of real workers and producers write them."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Fields = dict[str, Any]

BEAT = 2.0  # seconds between two heartbeats of a worker
PRODUCER = "gen4242@web-1"
_TRACEBACK = """Traceback (most recent call last):
  File "/srv/app/.venv/lib/python3.11/site-packages/celery/app/trace.py", line 564, in trace_task
    R = retval = fun(*args, **kwargs)
                 ^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/.venv/lib/python3.11/site-packages/celery/app/trace.py", line 883, in __protected_call__
    return self.run(*args, **kwargs)
           ^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/app/shop/tasks.py", line 43, in charge
    raise {exception}({text!r})
{exception}: {text}
"""  # noqa: E501 -- as long as the real one
_FAILURES = (
    ("ConnectionError", "payment gateway: connection reset by peer"),
    ("TimeoutError", "no answer within 30 s"),
    ("KeyError", "order_id"),
    ("ValueError", "amount is negative"),
)


@dataclass(frozen=True)
class Shape:
    """What the traffic looks like.

    ``batch`` is how many task events a worker publishes in one message; 1 is a worker without a
    hub (gevent), which does not batch at all. The k-th name is called 1/k**``skew`` as often as the
    first (Zipf). ``rate`` is tasks a second in the events' own time.
    """

    events: int = 100_000  # task events; worker events come on top
    batch: int = 2
    workers: int = 8
    names: int = 60
    queues: int = 6
    skew: float = 1.0
    failing: float = 0.02
    retrying: float = 0.01
    rate: float = 1000.0
    seed: int = 4


@dataclass(frozen=True)
class Publication:
    """One message to the event exchange: what a dispatcher hands to kombu."""

    routing_key: str
    hostname: str
    body: Fields | list[Fields]

    @property
    def events(self) -> list[Fields]:
        """Its events, one or many."""
        return self.body if isinstance(self.body, list) else [self.body]


@dataclass
class _Sender:
    """A process that has a dispatcher: it stamps events and, if it is a worker, buffers them."""

    hostname: str
    pid: int
    clock: int = 0
    processed: int = 0
    active: int = 0
    buffer: list[Fields] = field(default_factory=list)

    def event(self, kind: str, at: float, fields: Fields) -> Fields:
        """Return an event with its fields in the order in which Celery writes them."""
        self.clock += 1
        return {
            "hostname": self.hostname,
            "utcoffset": 0.0,
            "pid": self.pid,
            "clock": self.clock,
            **fields,
            "timestamp": at,
            "type": kind,
        }


@dataclass(frozen=True)
class _Task:
    uuid: str
    name: str
    queue: str
    args: str
    kwargs: str
    worker: _Sender

    def described(self, retries: int) -> Fields:
        return {
            "args": self.args,
            "kwargs": self.kwargs,
            "root_id": self.uuid,
            "parent_id": self.uuid if retries else None,  # a retry is a child of its own
            "retries": retries,
            "eta": None,
            "expires": None,
        }


class Traffic:
    """Generates the messages of one shape, the same for the same seed but for their times.

    ``begun`` is the epoch second of the first event; ``made`` counts task events so far.
    Tasks of some name always go to one queue; few names make most of the tasks.
    """

    def __init__(self, shape: Shape, *, begun: float | None = None) -> None:
        self.shape = shape
        self._random = random.Random(shape.seed)
        self._begun = time.time() if begun is None else begun
        self._producer = _Sender(PRODUCER, 4242)
        self.workers = [
            _Sender(f"worker{number}@host{number // 2}", 1000 + number)
            for number in range(shape.workers)
        ]
        names = [f"shop.module{number % 7}.tasks.job_{number}" for number in range(shape.names)]
        self._names = list(zip(names, itertools.cycle(range(shape.queues)), strict=False))
        ranks = range(1, shape.names + 1)
        self._weights = list(itertools.accumulate(rank**-shape.skew for rank in ranks))
        self._coming: list[tuple[float, int, str, _Task, int]] = []
        self._order = itertools.count()
        self.made = 0

    def hello(self) -> Iterator[Publication]:
        """Yield the heartbeat of each worker, which makes it known."""
        for worker in self.workers:
            yield self._beat(worker, self._begun)

    def messages(self) -> Iterator[Publication]:
        """Yield messages in the order of their events until all events are told."""
        shape = self.shape
        births = (self._begun + number / shape.rate for number in itertools.count())
        beats = self._begun + BEAT
        born = next(births)
        while self.made < shape.events:
            while not self._coming or self._coming[0][0] > born:
                yield from self._send(born)
                born = next(births)
            at, _, kind, task, retries = heapq.heappop(self._coming)
            if at >= beats:
                yield from (self._beat(worker, beats) for worker in self.workers)
                beats += BEAT
            yield from self._tell(at, kind, task, retries)
        for worker in self.workers:
            if worker.buffer:
                yield self._flushed(worker)

    def _send(self, at: float) -> Iterator[Publication]:
        chance = self._random
        name, queue = chance.choices(self._names, cum_weights=self._weights)[0]
        number = chance.randrange(100_000)
        bits = f"{chance.getrandbits(128):032x}"
        task = _Task(
            uuid=f"{bits[:8]}-{bits[8:12]}-4{bits[13:16]}-a{bits[17:20]}-{bits[20:]}",
            name=name,
            queue=f"queue-{queue}",
            args=f"({number}, 'customer-{number % 997}')",
            kwargs="{'dry_run': False}",
            worker=chance.choice(self.workers),
        )
        yield self._sent(at, task, 0)
        self._plan(at + chance.expovariate(50), "task-received", task, 0)

    def _sent(self, at: float, task: _Task, retries: int) -> Publication:
        self.made += 1
        described = task.described(retries)
        fields = {
            "uuid": task.uuid,
            "root_id": described.pop("root_id"),
            "parent_id": described.pop("parent_id"),
            "name": task.name,
            **described,
            "queue": task.queue,
            "exchange": "",
            "routing_key": task.queue,
        }
        event = self._producer.event("task-sent", at, fields)
        return Publication("task.sent", PRODUCER, event)

    def _plan(self, at: float, kind: str, task: _Task, retries: int) -> None:
        heapq.heappush(self._coming, (at, next(self._order), kind, task, retries))

    def _tell(self, at: float, kind: str, task: _Task, retries: int) -> Iterator[Publication]:
        """Yield what an event of a worker brings about, and plan what follows it."""
        chance, worker = self._random, task.worker
        if kind == "task-retry-sent":
            yield self._sent(at, task, retries)
            self._plan(at + 0.01, "task-received", task, retries)
            return
        fields: Fields = {"uuid": task.uuid}
        if kind == "task-received":
            fields |= {"name": task.name, **task.described(retries)}
            self._plan(at + chance.expovariate(200), "task-started", task, retries)
        elif kind == "task-started":
            worker.active += 1
            worker.processed += 1
            end, runtime = self._ending(retries), chance.expovariate(10)
            self._plan(at + runtime, end, task, retries)
        else:
            worker.active -= 1
            fields |= self._result(kind)
            if kind == "task-retried":
                self._plan(at + 0.02, "task-retry-sent", task, retries + 1)
        self.made += 1
        event = worker.event(kind, at, fields)
        if self.shape.batch == 1:
            yield Publication(kind.replace("-", "."), worker.hostname, event)
            return
        worker.buffer.append(event)
        if len(worker.buffer) >= self.shape.batch:
            yield self._flushed(worker)

    def _ending(self, retries: int) -> str:
        drawn = self._random.random()
        if drawn < self.shape.failing:
            return "task-failed"
        if drawn < self.shape.failing + self.shape.retrying and not retries:
            return "task-retried"
        return "task-succeeded"

    def _result(self, kind: str) -> Fields:
        if kind == "task-succeeded":
            number = self._random.randrange(10_000)
            return {"result": f"{{'order': {number}}}", "runtime": self._random.expovariate(10)}
        exception, text = self._random.choice(_FAILURES)
        told = _TRACEBACK.format(exception=exception, text=text)
        return {"exception": f"{exception}({text!r})", "traceback": told}

    @staticmethod
    def _flushed(worker: _Sender) -> Publication:
        events, worker.buffer = worker.buffer, []
        return Publication("task.multi", worker.hostname, events)

    @staticmethod
    def _beat(worker: _Sender, at: float) -> Publication:
        fields = {
            "freq": BEAT,
            "active": worker.active,
            "processed": worker.processed,
            "loadavg": [0.34, 0.86, 1.66],
            "sw_ident": "py-celery",
            "sw_ver": "5.7.0",
            "sw_sys": "Linux",
        }
        return Publication(
            "worker.heartbeat", worker.hostname, worker.event("worker-heartbeat", at, fields)
        )
