"""The composition root: builds the parts, starts and joins their threads, reloads, stops."""

from __future__ import annotations

import gc
import os
import platform
import signal
import threading
import time
from importlib import metadata
from typing import TYPE_CHECKING

from celery_sentinel import (
    __version__,
    errors,
    health,
    log_writer,
    logs,
    receiver,
    redaction,
    reload,
    status,
    systemd,
    web,
)
from celery_sentinel.brokers import registry
from celery_sentinel.config import addresses
from celery_sentinel.events import decoding
from celery_sentinel.fleet import result_backend_health
from celery_sentinel.metrics import catalogue, exposition, process as process_metrics, samples
from celery_sentinel.metrics.collectors import objectives, queues, sentinel, tasks, workers
from celery_sentinel.poller import loop
from celery_sentinel.poller.queues import QueuePoll
from celery_sentinel.poller.result_backend import BackendPoll
from celery_sentinel.poller.workers import WorkerPoll
from celery_sentinel.remote_control import client as remote_control, mailboxes
from celery_sentinel.result_backend import check as result_backend
from celery_sentinel.state import manager
from celery_sentinel.status import last_hour
from celery_sentinel.telemetry import subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from celery_sentinel.config import schema
    from celery_sentinel.status import schema as status_schema

WATCH = 0.5  # seconds between two looks at the parts
JOIN = 3.0  # seconds for all threads together; one that asks a dead broker is left behind


def run(
    config: schema.Config, *, load: Callable[[], schema.Config], log: log_writer.LogWriter
) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. SIGHUP loads the configuration anew.

    Raises ``errors.ConfigError`` and ``errors.ListenError`` before anything has started.
    """
    daemon = Daemon(config, load, log)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        daemon.reloader.requested.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, hang_up)
    daemon.start()
    try:
        while not stopping.wait(WATCH):
            daemon.look()
    except errors.SentinelError as error:
        logs.get(__name__).critical("daemon_failed", error=str(error))
        return error.exit_code
    finally:
        daemon.stop()
    return 0


class Daemon:
    """All parts of one process, each built once."""

    def __init__(
        self,
        config: schema.Config,
        load: Callable[[], schema.Config],
        log: log_writer.LogWriter,
    ) -> None:
        self._settings = config.web
        self._log = logs.get(__name__)
        self._log_writer = log
        self._started = time.time()
        decoder = decoding.Decoder()
        self._connection = _connection_of(config, decoder)
        self._scrubber = redaction.Scrubber.of(config)
        self._supervisor = systemd.Supervisor(os.environ, failed=self._not_told)
        self.reloader = reload.Reloader(
            config,
            load,
            scrub=self._scrubber.scrub,
            take_over=self._take_over,
            around=self._supervisor.told_of_reload,
        )
        self._state, self._fleet = manager.opened(config, self._connection)
        self._compat = config.metrics.compat
        self._receiver = receiver.Receiver(
            source=registry.event_stream(config, decoder),
            fleet=self._fleet,
            connection=self._connection,
            scrub=self._scrubber.scrub,
        )
        self._worker_poll = self._poll_of_workers(config)
        self._results: result_backend_health.Backend | None = None
        self._loops = [self._loop_of(question) for question in self._questions(config)]
        self._exposition = exposition.Exposition(
            self._families, extra=process_metrics.renderer(), hold=config.metrics.zero_born_hold
        )
        if self._state is not None:
            self._exposition.before = self._state.before
            self._exposition.keep = self._state.keep
        self._recent = last_hour.LastHour()
        self._threads = list(self._parts())
        self._web: web.WebServer | None = None

    def _poll_of_workers(self, config: schema.Config) -> WorkerPoll:
        return WorkerPoll(
            remote_control.Control(config),
            self._fleet,
            self._connection,
            interval=config.polling.workers,
            timeout=config.polling.timeout,
            enable=config.events.enable,
            looking=mailboxes.mailboxes_of(config),
        )

    def _questions(self, config: schema.Config) -> Iterator[loop.Question]:
        """Yield what is asked, each in a thread of its own."""
        reader = registry.queue_reader_of(config)
        yield QueuePoll(reader, self._fleet, interval=config.polling.queues)
        if self._connection.events_impossible is None:  # remote control needs what events need
            yield self._worker_poll
        asked = result_backend.open_backend(config)
        if asked is not None:
            self._results = result_backend_health.Backend(asked.transport)
            yield BackendPoll(asked, self._results)

    def _loop_of(self, question: loop.Question) -> loop.Loop:
        return loop.Loop(
            question,
            fleet=self._fleet,
            connection=self._connection,
            scrub=self._scrubber.scrub,
        )

    def _parts(self) -> Iterator[threading.Thread]:
        """Yield the threads, none of which may die."""
        yield threading.Thread(target=self._receiver.run, name="receiver", daemon=True)
        for one in self._loops:
            yield threading.Thread(target=one.run, name=f"poll-{one.name}", daemon=True)
        if self._state is not None:
            yield self._state.thread

    def start(self) -> None:
        """Listen first, so that a port in use ends the process before it connects anywhere."""
        settings = self._settings
        self._web = web.start(
            addresses=[addresses.parse(text) for text in settings.listen_address],
            telemetry_path=settings.telemetry_path,
            metrics=self._exposition,
            status=self._status,
            healthy=self._healthy,
            ready=self._ready,
            reload=self.reloader.reload if settings.enable_lifecycle else None,
            config_file=settings.config_file,
        )
        for url in self._web.urls:
            self._log.info("web_listening", url=url)
        gc.collect()
        gc.freeze()  # what is here now stays: later collections, which stop the receiver, skip it
        for thread in self._threads:
            thread.start()
        self._log.info("started", version=__version__, broker=self._connection.url)
        self._supervisor.ready()
        self._report()

    def look(self) -> None:
        """Raise if a part has died; reload if asked to."""
        for thread in self._threads:
            if not thread.is_alive():
                raise errors.SentinelError(f"the {thread.name} thread has died; see the log above")
        if self._web is not None:
            self._web.look()
        self.reloader.look()
        self._recent.look(self._fleet, time.monotonic())
        if self._fleet.failures != self._connection.failures["fleet"]:
            self._connection.failures["fleet"] = self._fleet.failures
            self._log.error("event_not_applied", exc_info=self._fleet.last_failure)
        self._report()

    def _report(self) -> None:
        """Tell the supervisor what /-/ready says, and that the receiver's loop turns if it does."""
        now = time.monotonic()
        self._supervisor.feed(self._receiver.beat, now)
        self._supervisor.tell(health.in_words(self._ready(), reloaded=self.reloader.succeeded), now)

    def _not_told(self) -> None:
        self._connection.failures["supervisor"] += 1

    def stop(self) -> None:
        """Stop in the order of dependence: web, poller, receiver; then the last, exact snapshot."""
        self._supervisor.stopping()
        if self._web is not None:
            self._web.close()
        for one in self._loops:
            one.stop()
        self._receiver.stop()
        if self._state is not None:
            self._state.stop()
        deadline = time.monotonic() + JOIN
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        if self._state is not None:
            self._state.finish(exact=not any(thread.is_alive() for thread in self._threads))
        self._log.info("stopped")

    def _take_over(self, config: schema.Config) -> None:
        """Bring a configuration into effect, as far as that is possible while running."""
        logs.configure(config.log, self._scrubber, write=self._log_writer.write)
        self._fleet.reconfigure(config)
        self._exposition.hold = config.metrics.zero_born_hold
        self._compat = config.metrics.compat
        self._worker_poll.enable = config.events.enable

    # --- what the web server asks --------------------------------------------------------

    def _families(self) -> Iterator[samples.Family]:
        fleet, connection = self._fleet, self._connection
        yield from tasks.collect(fleet, compat=self._compat)
        yield from workers.collect(fleet)
        yield from queues.collect(fleet, connection, self._results, compat=self._compat)
        yield from objectives.collect(fleet)
        yield from sentinel.collect(fleet, connection)
        yield samples.family(catalogue.BUILD_INFO, [(_BUILD, 1)])
        yield samples.single(catalogue.SERIES, self._exposition.series)
        yield samples.single(catalogue.RENDER_DURATION, self._exposition.duration)
        yield samples.single(catalogue.LOG_LINES_DROPPED, self._log_writer.dropped)
        yield from self.reloader.families()
        if self._state is not None:
            yield from self._state.families()
        yield from self._web.families() if self._web else ()

    def _status(self) -> status_schema.Status:
        return status.build(
            self._fleet,
            self._connection,
            self._results,
            state=None if self._state is None else self._state.told(),
            recent=self._recent,
            started=self._started,
            ready=self._ready().ok,
        )

    def _healthy(self) -> web.Health:
        loops = [("receiver", self._receiver.beat)]
        loops += [(f"poll-{one.name}", one.beat) for one in self._loops]
        return health.of_threads(loops, time.monotonic())

    def _ready(self) -> web.Health:
        return health.of_stream(
            self._fleet, self._connection, started=self._started, now=time.time()
        )


def _connection_of(config: schema.Config, decoder: decoding.Decoder) -> subscription.Subscription:
    """Return the state of the stream, which shows what its decoder counts."""
    url = config.broker.url
    connection = subscription.Subscription(
        transport=registry.transport_of(url), url=redaction.redact_url(url)
    )
    connection.rejected, connection.salvaged = decoder.rejected, decoder.salvaged
    connection.refused_types = decoder.refused_types
    connection.events_impossible = registry.why_no_events(config.broker)
    connection.visibility_timeout = registry.visibility_timeout_of(config.broker)
    return connection


_BUILD = (
    __version__,
    platform.python_version(),
    metadata.version("celery"),
    metadata.version("kombu"),
)
