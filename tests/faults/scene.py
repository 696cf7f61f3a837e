"""A fleet under observation, as a job of its own, in which faults are injected."""

from __future__ import annotations

import concurrent.futures
import contextlib
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.faults import results, tasks, tower
from tests.faults.results import Result
from tests.faults.traffic import Traffic
from tests.servers import daemon, deadline, ports, producer, redis, worker

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Callable, Iterator, Mapping

BASE = {
    "metrics": {"zero_born_hold": "5s"},  # no less than two scrapes
    "polling": {"queues": "1s", "workers": "5s"},
}
_AFTERMATH = 20.0  # seconds for consequences to be reported, after the fault has been
_SILENCE = 45.0  # seconds in which a fault that should be silent may be reported
_READY_SECONDS = 180.0
_POLL_SECONDS = 0.5
# Processes that start all at once, on few cores, all miss their time-outs.
_starting = threading.Semaphore(3)
_making = threading.Lock()  # Celery applications are not made in parallel


class Scene:
    """One broker, its daemons and workers; a context manager that ends them all.

    ``results`` has one for each fault, in order. Daemons get ``config`` over BASE.
    """

    def __init__(
        self,
        job: str,
        watch: tower.Tower,
        directory: pathlib.Path,
        broker_url: str,
        *,
        factor: int = tower.BRISK,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.job = job
        self.factor = factor
        self.broker_url = broker_url
        self.results: list[Result] = []
        self.stack = contextlib.ExitStack()
        self.workers: list[worker.CeleryWorker] = []
        self.daemons: list[daemon.Daemon] = []
        self._tower = watch
        self._directory = directory
        self._config = BASE | dict(config or {})
        self._claimed: set[tuple[str, float]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def daemon(self, url: str | None = None, *args: str) -> daemon.Daemon:
        """Start a daemon on the broker (or on another way to it) that keeps its address."""
        directory = self.directory(f"daemon{len(self.daemons)}")
        file = directory / "config.yml"
        file.write_text(yaml.safe_dump(self._config))
        options = ["--config.file", str(file), *args]
        started = daemon.Daemon(
            directory, url or self.broker_url, args=options, port=ports.free_port()
        )
        with _starting:
            self.stack.enter_context(started)
        self.daemons.append(started)
        return started

    def worker(self, name: str, **options: Any) -> worker.CeleryWorker:
        """Start a worker; ``options`` are those of CeleryWorker."""
        options["config"] = {"imports": [tasks.__name__], **options.get("config", {})}
        directory = self.directory(name)
        started = worker.CeleryWorker(directory, self.broker_url, name=name, **options)
        with _starting:
            self.stack.enter_context(started)
        self.workers.append(started)
        return started

    def producer(self, **config: Any) -> producer.Producer:
        """Connect a producer."""
        with _making:
            made = producer.Producer(
                self.broker_url, config={"imports": [tasks.__name__], **config}
            )
        return self.stack.enter_context(made)

    def traffic(self, task: str, *args: Any, every: float = 1.0, **options: Any) -> Traffic:
        """Send a task again and again, each ``every`` seconds, until it is stopped."""
        flow = Traffic(self.producer(), task, args, every=every, options=options)
        return self.stack.enter_context(flow)

    def own_redis(self, *args: str) -> redis.RedisServer:
        """Start a Redis that nobody else uses, and make it the broker."""
        made = redis.RedisServer(self.directory("redis"), extra_args=args)
        started = self.stack.enter_context(made)
        self.broker_url = started.url
        return started

    def observe(self) -> None:
        """Have Prometheus watch, and return when it sees broker and workers."""
        targets = [one.url.removeprefix("http://") for one in self.daemons]
        self._prometheus = self._tower.observe(self.job, targets, factor=self.factor)
        # Seen by all that were started, so that whatever a rule needs is there.
        seen = len(self.workers) * len(self.daemons)
        answer = f'sum(celery_worker_up{{job="{self.job}"}} and celery_worker_concurrency)'
        self.until(answer, lambda found: found == seen, "workers are seen to be up")

    def until_started(self, task: str, runs: int) -> None:
        """Wait until Prometheus has seen so many runs of a task."""
        started = f'sum(celery_task_started_total{{job="{self.job}", name="{task}"}})'
        self.until(started, lambda found: (found or 0) >= runs, f"{task} has run")

    def until(
        self,
        expression: str,
        holds: Callable[[float | None], bool],
        what: str,
        *,
        within: float = _READY_SECONDS,
    ) -> None:
        """Wait until the value of an expression (None without any) is as it should be."""

        def value() -> bool:
            found = self._prometheus.query(expression)
            return holds(found[0][1] if found else None)

        deadline.wait_until(value, within, f"{self.job}: {what}", every=_POLL_SECONDS)

    def insist(self, told: Callable[[], object]) -> None:
        """Tell the workers something again and again until one confirms it."""
        deadline.wait_until(told, _READY_SECONDS, f"{self.job}: a worker answers")

    @contextlib.contextmanager
    def fault(
        self,
        title: str,
        *expected: str,
        also: tuple[str, ...] = (),
        about: Mapping[str, str] | None = None,
        objective: float = 0.0,
        within: float = 120.0,
        watch: float | None = None,
    ) -> Iterator[Result]:
        """Judge what arrives after the fault that the body injects.

        ``also`` are alerts that are as true, and may come. An alert that has a label of
        ``about`` with another value belongs to another fault. ``objective`` is the time that
        must pass until it is a fault, ``watch`` how long consequences are waited for.
        """
        result = Result(title, expected, self.factor)
        self.results.append(result)
        since = time.time()
        try:
            yield result
            with contextlib.suppress(TimeoutError):
                deadline.wait_until(
                    lambda: {one.alert for one in self._about(since, about)} >= set(expected),
                    within,
                    "the alerts arrive",
                    every=_POLL_SECONDS,
                )
            time.sleep(watch or (_AFTERMATH if expected else _SILENCE))
        except Exception as error:  # noqa: BLE001 - the table shall say so, and the others go on
            result.error = f"{type(error).__name__}: {error}"
        self._judge(result, self._about(since, about), since + objective, also)

    def together(self, *parts: Callable[[Scene], None]) -> None:
        """Play several parts at once."""
        with concurrent.futures.ThreadPoolExecutor(len(parts)) as pool:
            for part in [pool.submit(part, self) for part in parts]:
                part.result()

    def pause(self, seconds: float) -> None:
        """Let nothing happen; for so long whatever arrives is a false alarm."""
        time.sleep(seconds)

    def file(self, name: str, text: str) -> pathlib.Path:
        """Write a file of this scene."""
        written = self._directory / f"{self.job}-{name}"
        written.write_text(text)
        return written

    def directory(self, name: str) -> pathlib.Path:
        """Make a directory of this scene."""
        made = self._directory / f"{self.job}-{name}"
        made.mkdir()
        return made

    def unmatched(self) -> list[str]:
        """Return the alerts about this job that no fault explains."""
        return [
            _describe(one)
            for one in self._tower.notices(self.job)
            if (one.alert, one.fired) not in self._claimed
        ]

    def _about(self, since: float, about: Mapping[str, str] | None) -> list[tower.Notice]:
        wanted = (about or {}).items()
        return [
            notice
            for notice in self._tower.notices(self.job)
            if notice.fired >= since
            and all(notice.labels.get(name, value) == value for name, value in wanted)
        ]

    def _judge(
        self, result: Result, notices: list[tower.Notice], since: float, also: tuple[str, ...]
    ) -> None:
        self._claimed |= {(one.alert, one.fired) for one in notices}
        counted = Counter(one.alert for one in notices)
        result.received = [alert for alert in counted if alert in result.expected + also]
        result.false_alarms = [
            _describe(one) for one in notices if one.alert not in result.expected + also
        ]
        result.pages = self._pages(notices)
        cause = [one for one in notices if one.alert in result.expected]
        if cause:
            first = min(cause, key=lambda one: one.fired)
            result.beyond = first.fired - since - self._tower.lasting(first, self.factor)
            result.delivered = min(one.at for one in cause) - since

    def _pages(self, notices: list[tower.Notice]) -> int:
        paged = [one for one in notices if one.page]
        if not paged:
            return 0
        since = time.time() - min(one.fired for one in paged)
        up = f'min(min_over_time(up{{job="{self.job}"}}[{since:.0f}s]))'
        scraped = [value for _, value in self._prometheus.query(up)] == [1.0]
        return results.pages([one.labels for one in paged], always_scraped=scraped)


def _describe(notice: tower.Notice) -> str:
    about = {
        name: value
        for name, value in notice.labels.items()
        if name in {"severity", "name", "queue_name", "hostname", "instance", "category"}
    }
    return f"{notice.alert} {about}"
