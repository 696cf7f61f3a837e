"""What watches the fleets: Prometheus with the shipped rules, Alertmanager, a recorder."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from typing import TYPE_CHECKING, NamedTuple, Self

import yaml

from tests import promql
from tests.faults import rewriting, routing
from tests.servers import alertmanager, deadline, prometheus

if TYPE_CHECKING:
    import pathlib

INTERVAL = 2  # seconds between scrapes, and between evaluations
_SHIPPED_INTERVAL = 15
BRISK = 20  # by what the rules' times are divided
STEADY = 4  # the same where the daemon's own times, which are real, would be too long
_READY_SECONDS = 120.0
_PAGES = "/page"
_EVERYTHING = "/automation"
_WATCHDOG = "/deadman"


class Notice(NamedTuple):
    """An alert that reached a receiver; times are in epoch seconds."""

    at: float  # delivered
    fired: float
    labels: dict[str, str]
    page: bool

    @property
    def alert(self) -> str:
        """The name of the alert."""
        return self.labels["alertname"]


class Tower:
    """One Prometheus for each factor, all before one Alertmanager; a context manager.

    Each starts with the first target it is given: with none for long it says so to everybody.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._prometheus: dict[int, prometheus.Prometheus] = {}
        self._for: dict[tuple[int, str, str], float] = {}

    def __enter__(self) -> Self:
        self.recorder = self._stack.enter_context(alertmanager.Recorder())
        config = self._directory / "alertmanager.yml"
        routing.shorten(
            config, self.recorder.url, wait=_SHIPPED_INTERVAL / INTERVAL, interval=STEADY
        )
        manager = alertmanager.Alertmanager(self._directory, config)
        self._manager = self._stack.enter_context(manager)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def observe(self, job: str, targets: list[str], *, factor: int) -> prometheus.Prometheus:
        """Scrape ``targets`` as ``job`` by rules shortened by ``factor``; return who does."""
        with self._lock:
            found = self._prometheus.get(factor)
            if found is None:
                found = self._build(factor)
                found.scrape(job, targets)
                self._stack.enter_context(found)
                self._prometheus[factor] = found
            else:
                found.scrape(job, targets)
        deadline.wait_until(found.knows_alertmanager, _READY_SECONDS, "Alertmanager is discovered")
        return found

    def lasting(self, notice: Notice, factor: int) -> float:
        """Return the ``for`` of the alert's rule as it is evaluated, in seconds."""
        fixed = factor, notice.alert, notice.labels["severity"]
        return self._for[fixed] if fixed in self._for else self._for[factor, notice.alert, ""]

    def notices(self, job: str | None) -> list[Notice]:
        """Return what arrived about a job, once for each time it fired; the watchdog left out."""
        first: dict[tuple[object, ...], Notice] = {}
        pages = {self._key(one) for one in self._arrived(_PAGES)}
        for one in self._arrived(_EVERYTHING):
            if one.labels.get("job") == job:
                first.setdefault(self._key(one), one._replace(page=self._key(one) in pages))
        return list(first.values())

    def unowned(self) -> set[str]:
        """Return the alerts without any job that were delivered, and were no watchdog."""
        return {one.alert for one in self.notices(None)}

    def watchdog_arrived(self) -> bool:
        """Tell whether the dead-man's switch hears of us."""
        return bool(self.recorder.bodies(_WATCHDOG))

    def _key(self, notice: Notice) -> tuple[object, ...]:
        return tuple(sorted(notice.labels.items())), notice.fired

    def _arrived(self, path: str) -> list[Notice]:
        return [
            Notice(
                delivery.at,
                dt.datetime.fromisoformat(alert["startsAt"]).timestamp(),
                alert["labels"],
                page=path == _PAGES,
            )
            for delivery in self.recorder.deliveries()
            if delivery.path.startswith(path)
            for alert in delivery.body["alerts"]
            if alert["status"] == "firing"
        ]

    def _build(self, factor: int) -> prometheus.Prometheus:
        directory = self._directory / f"factor-{factor}"
        directory.mkdir()
        rewriter = rewriting.Rewriter(factor, scrape_interval=INTERVAL)
        files = []
        for source in promql.RULE_FILES:
            target = directory / source.name
            rewriter.file(source, target)
            self._note_patience(factor, target)
            files.append(target)
        host = self._manager.url.removeprefix("http://")
        return prometheus.Prometheus(directory, interval=INTERVAL, rules=files, alertmanager=host)

    def _note_patience(self, factor: int, file: pathlib.Path) -> None:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                if "alert" in rule:
                    severity = rule.get("labels", {}).get("severity", "")
                    key = factor, rule["alert"], severity
                    self._for[key] = promql.seconds(rule.get("for", 0))
