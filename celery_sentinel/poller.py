"""The asking thread: what the event stream does not bring, and the workers must be asked for."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import celery

from celery_sentinel import logs
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from celery_sentinel.config import schema
    from celery_sentinel.fleet import model, stream

PERIOD = 1.0  # seconds between two looks at the workers
# A worker says hello before it listens to commands, so the first question may go unheard.
ASK_TWICE_AFTER = 5.0  # seconds
ASK_AGAIN_AFTER = 30.0  # seconds, while the worker is known to send no task events
CONNECT_TIMEOUT = 5.0


class Poller:
    """Asks workers to send task events: each process twice, and again while it sends none.

    A worker that sends them already answers that it does; nothing is lost by asking. The
    setting does not outlive the worker's process, so a new process id is asked anew. ``enable``
    may be switched while running.
    """

    def __init__(
        self, *, config: schema.Config, fleet: model.Fleet, connection: stream.Stream
    ) -> None:
        self.enable = config.events.enable
        self.beat = time.monotonic()
        self._fleet = fleet
        self._connection = connection
        self._app = control_app(config.broker)
        self._asked: dict[str, _Asked] = {}
        self._stopping = threading.Event()
        self._log = logs.get(__name__)
        self._failing = False

    def stop(self) -> None:
        """Ask the thread to end."""
        self._stopping.set()

    def run(self) -> None:
        """Look at the workers each second until stopped."""
        while not self._stopping.wait(PERIOD):
            self.beat = time.monotonic()
            if self.enable and self._connection.up:
                self._enable_events(self.beat)
        self._app.close()

    def _enable_events(self, now: float) -> None:
        silent = self._silent(now)
        if not silent:
            return
        try:
            with self._app.connection_for_write(connect_timeout=CONNECT_TIMEOUT) as connection:
                connection.ensure_connection(max_retries=1, timeout=CONNECT_TIMEOUT)
                self._app.control.enable_events(
                    destination=[hostname for hostname, _ in silent], connection=connection
                )
        except Exception as error:  # noqa: BLE001 -- any transport may raise its own
            self._connection.control["failed"] += 1
            if not self._failing:
                self._log.warning("enable_events_failed", error=str(error), workers=len(silent))
            self._failing = True
            return
        self._failing = False
        self._connection.control["asked"] += len(silent)
        for hostname, pid in silent:
            earlier = self._asked.get(hostname)
            again = earlier is not None and earlier.pid == pid
            self._asked[hostname] = _Asked(pid, now, twice=again)
        self._log.info("enable_events_asked", workers=[hostname for hostname, _ in silent])

    def _silent(self, now: float) -> list[tuple[str, int | None]]:
        """Return the live workers to ask, and forget those that are gone."""
        with self._fleet.lock.reading():
            known = [
                (worker.hostname, worker.pid, worker.events_enabled)
                for worker in self._fleet.workers
                if worker.state is State.UP
            ]
        alive = {hostname for hostname, _, _ in known}
        self._asked = {name: when for name, when in self._asked.items() if name in alive}
        return [
            (hostname, pid)
            for hostname, pid, enabled in known
            if self._is_due(hostname, pid, now, enabled=enabled)
        ]

    def _is_due(self, hostname: str, pid: int | None, now: float, *, enabled: bool | None) -> bool:
        asked = self._asked.get(hostname)
        if enabled:
            return False
        if asked is None or asked.pid != pid:
            return True
        if not asked.twice:
            return now - asked.at > ASK_TWICE_AFTER
        return enabled is False and now - asked.at > ASK_AGAIN_AFTER


class _Asked(NamedTuple):
    """When (monotonic) which process was asked last, and whether that was not the first time."""

    pid: int | None
    at: float
    twice: bool


def control_app(broker: schema.Broker) -> Any:
    """Return a Celery application that only sends control commands to ``broker``."""
    app = celery.Celery("celery-sentinel", broker=broker.url, set_as_current=False)
    app.conf.broker_transport_options = dict(broker.transport_options)
    if broker.tls is not None:
        prefix = "" if broker.url.startswith(("amqp", "pyamqp")) else "ssl_"
        given = {
            f"{prefix}ca_certs": broker.tls.ca_file,
            f"{prefix}certfile": broker.tls.cert_file,
            f"{prefix}keyfile": broker.tls.key_file,
        }
        app.conf.broker_use_ssl = {key: value for key, value in given.items() if value}
    return app
