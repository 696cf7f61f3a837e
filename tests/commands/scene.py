"""A fleet in trouble, and two daemons that watch it: one with all rights, one with the least."""

from __future__ import annotations

import abc
import json
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from tests.commands import journal
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping

    from tests import conftest
    from tests.commands import recording
    from tests.servers import relay, server, worker

WORKERS = ("first", "second")
_UP_SECONDS = 150.0
# Short times, so that a minute has many rounds; what is sent does not depend on them.
_POLLING = {"queues": "1s", "workers": "2s", "timeout": "1s"}


class Company(NamedTuple):
    """Who starts what: the fixtures of the tests."""

    start_worker: conftest.StartWorker
    start_daemon: conftest.StartDaemon
    make_producer: conftest.MakeProducer
    closing: contextlib.ExitStack


class Watcher:
    """One daemon, the cables over which it speaks, and what was recorded on them."""

    def __init__(
        self,
        name: str,
        sentinel: daemon.Daemon,
        cables: list[relay.Relay],
        recordings: list[recording.Recording],
    ) -> None:
        self.name = name
        self.daemon = sentinel
        self.cables = cables
        self.recordings = recordings
        self.repeats: list[str] = []  # lines of its log that say nothing new
        self.lines = 0

    def read_log(self) -> None:
        """Judge the log of the latest start, before another or at the end."""
        text = self.daemon.stderr_text
        self.repeats += journal.repeats(text)
        self.lines += len(journal.events(text))

    def sees(self, workers: int) -> bool:
        """Tell whether it is subscribed, and knows so many workers to be up."""
        samples = self.daemon.scrape()
        up = daemon.total(samples, "celery_worker_up")
        return daemon.total(samples, "celery_broker_up") == 1 and up == workers


class Scene(abc.ABC):
    """A broker, two workers and two daemons; the worker ``first`` holds tasks for later."""

    def __init__(self, broker: server.Broker, company: Company) -> None:
        self.broker = broker
        self.workers: list[worker.CeleryWorker] = [
            company.start_worker(broker.url, name=name, config=self.application) for name in WORKERS
        ]
        self.company = company
        self.watchers: list[Watcher] = []

    # Celery's settings in the application, of which the daemon is told nothing.
    application: ClassVar[Mapping[str, Any]] = {}

    @abc.abstractmethod
    def prepare(self) -> None:
        """Give the application what it is to lose if anybody touches it."""

    @abc.abstractmethod
    def damage(self) -> list[str]:
        """Say what of that is not as it was before a fault that did not touch the broker."""

    def watch(
        self,
        name: str,
        url: str,
        cables: list[relay.Relay],
        recordings: list[recording.Recording],
        config: Mapping[str, Any],
    ) -> None:
        """Start a daemon on ``url``, which leads over the first of the cables."""
        text = json.dumps({"polling": _POLLING, **config})
        sentinel = self.company.start_daemon(url, config=text, name=name)
        self.watchers.append(Watcher(name, sentinel, cables, recordings))

    def recover(self) -> None:
        """Bring back whoever fell, and wait until both daemons see all of them."""

        def whole() -> bool:
            for one in self.workers:
                if not one.running:  # kombu kills workers whose Redis goes
                    one.start()
            return all(watcher.sees(len(self.workers)) for watcher in self.watchers)

        deadline.wait_until(whole, _UP_SECONDS, "both daemons see both workers", every=1.0)
        self.prepare()
