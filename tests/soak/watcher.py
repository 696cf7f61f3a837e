"""Scrapes all the while, and holds each exposition to what is promised of every one."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from tests.servers import daemon, deadline
from tests.soak import resources

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL = 0.5  # seconds
_FORMATS = (
    ("text/plain", parser.text_string_to_metric_families),
    ("application/openmetrics-text; version=1.0.0", openmetrics.text_string_to_metric_families),
)
_CUMULATIVE = ("counter", "histogram")
_SHOWN = 5
_HELD_SECONDS = 60.0


class Watcher:
    """A scraper with a thread of its own, in both formats by turns; also a context manager.

    ``faults`` says which scrape failed and how, ``memory`` has (monotonic seconds, resident
    KiB) for each, ``scrapes`` is their number.
    """

    def __init__(self, sentinel: daemon.Daemon) -> None:
        self.faults: list[str] = []
        self.memory: list[tuple[float, float]] = []
        self.scrapes = 0
        self._sentinel = sentinel
        self._latest: daemon.Samples = {}
        self._counters: daemon.Samples = {}
        self._closing = threading.Event()
        self._scraping = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    @property
    def latest(self) -> daemon.Samples:
        """What the last scrape brought."""
        return self._latest

    def check(self) -> None:
        """Fail if any scrape did."""
        assert not self.faults, "\n".join(self.faults[:_SHOWN])

    def wait(
        self, condition: Callable[[daemon.Samples], object], seconds: float, what: str
    ) -> None:
        """Wait until a scrape begun from now on meets the condition."""
        begun = self.scrapes + 1

        def met() -> bool:
            return self.scrapes > begun and bool(condition(self._latest))

        deadline.wait_until(met, seconds, what)
        self.check()

    def held(self) -> resources.Held:
        """Return what the daemon holds while nobody scrapes."""
        with self._scraping:
            return resources.held(self._sentinel.pid)

    def wait_held(self, before: resources.Held) -> None:
        """Wait until the daemon holds nothing beyond what it held ``before``."""
        try:
            deadline.wait_until(lambda: not self.held().beyond(before), _HELD_SECONDS, "released")
        except TimeoutError:
            raise AssertionError(f"held for ever: {self.held().beyond(before)}") from None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._scraping:
                    self._scrape()
            except Exception as error:  # noqa: BLE001 -- whatever it is, the test shows it
                self.faults.append(f"scrape {self.scrapes}: {type(error).__name__}: {error}")
            self._closing.wait(INTERVAL)

    def _scrape(self) -> None:
        accept, read = _FORMATS[self.scrapes % len(_FORMATS)]
        response = self._sentinel.get("/metrics", headers={"Accept": accept})
        response.raise_for_status()
        samples: daemon.Samples = {}
        counters: daemon.Samples = {}
        for family in read(response.text):
            for sample in family.samples:
                key = (sample.name, frozenset(sample.labels.items()))
                if key in samples:
                    raise ValueError(f"{sample.name}{sample.labels} appears twice")
                samples[key] = sample.value
                if family.type in _CUMULATIVE and not sample.name.endswith("_created"):
                    counters[key] = sample.value
        self._latest = samples
        self._compare(counters)
        self.memory.append((time.monotonic(), resources.resident_kib(self._sentinel.pid)))
        self.scrapes += 1

    def _compare(self, counters: daemon.Samples) -> None:
        """Note every counter that went down; one that left and came back may begin anew."""
        before = self._counters
        self.faults += [
            f"scrape {self.scrapes}: {name}{dict(labels)}: {before[name, labels]} fell to {value}"
            for (name, labels), value in counters.items()
            if value < before.get((name, labels), 0.0)
        ]
        self._counters = counters
