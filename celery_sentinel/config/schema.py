"""The schema of the configuration: every setting, its type and its default."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from celery_sentinel.config import durations, thresholds

RUNTIME_BUCKETS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0,
)  # fmt: skip
WAIT_BUCKETS = (
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0,
)  # fmt: skip


Seconds = durations.Seconds
Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "logfmt", "console", "json"]
# What fits a 64-bit counter everywhere, and is more than any machine holds.
Count = Annotated[int, msgspec.Meta(ge=1, le=10**12)]
Text = Annotated[str, msgspec.Meta(min_length=1)]


LoginMethod = Literal["PLAIN", "AMQPLAIN", "EXTERNAL"]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every section: immutable, and an unknown key is an error."""


class Tls(Section, frozen=True, kw_only=True):
    """Certificates for the connection to the broker (PEM files)."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify_hostname: bool = True


class Broker(Section, frozen=True, kw_only=True):
    """Where the events come from. ``transport_options`` are those of kombu.

    ``management_url`` is RabbitMQ's management API, such as http://localhost:15672: with it
    unacked messages are known, and queues nobody named. With ``durable_events`` RabbitMQ keeps
    the events in a named queue while the daemon is away. ``control_exchange`` is Celery's setting
    of that name, over which workers are asked. ``login_method`` is how we log in at RabbitMQ, as in
    Celery's ``broker_login_method``; ``management_tls`` is for its management API alone, which
    without it is given ``tls``.
    """

    url: str = "redis://localhost:6379/0"
    transport_options: dict[str, Any] = {}
    tls: Tls | None = None
    management_url: Text | None = None
    durable_events: bool = False
    control_exchange: Text = "celery"
    login_method: LoginMethod | None = None
    management_tls: Tls | None = None


class ResultBackend(Section, frozen=True, kw_only=True):
    """Where Celery keeps results; watched only for being there.

    ``transport_options`` are Celery's ``result_backend_transport_options``.
    """

    url: Text | None = None
    transport_options: dict[str, Any] = {}


class Web(Section, frozen=True, kw_only=True):
    """Where Prometheus scrapes us; ``config_file`` is the web config file (TLS, passwords)."""

    listen_address: tuple[str, ...] = (":9808",)
    telemetry_path: str = "/metrics"
    enable_lifecycle: bool = False
    config_file: Text | None = None


class Log(Section, frozen=True, kw_only=True):
    """How the daemon speaks; format ``auto`` is console on a terminal, else logfmt."""

    level: Level = "info"
    format: Format = "auto"


class Events(Section, frozen=True, kw_only=True):
    """The event stream; names follow Celery's ``event_exchange`` and ``event_queue_prefix``.

    ``queue_name`` and ``durable_for`` are of the queue that ``broker.durable_events`` asks for.
    """

    enable: bool = True
    exchange: Text = "celeryev"
    queue_prefix: Text = "celeryev"
    queue_ttl: Seconds = Seconds(60)
    queue_max_bytes: Count = 64 * 1024 * 1024
    queue_name: Text | None = None
    durable_for: Seconds = Seconds(3600)


class Queues(Section, frozen=True, kw_only=True):
    """Queue names beside those discovered; ``ignore`` and ``dead_letter`` take globs."""

    watch: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ("*.pidbox", "*.celery.pidbox", "celeryev*", "celery_delayed_*")
    dead_letter: tuple[str, ...] = ()
    forget_after: Seconds = Seconds(24 * 3600)


class Polling(Section, frozen=True, kw_only=True):
    """How often the broker is asked for queues and the workers for themselves.

    ``timeout`` is how long a worker may take to answer; on Redis less than 1 s loses answers.
    """

    queues: Seconds = Seconds(5)
    workers: Seconds = Seconds(30)
    timeout: Seconds = Seconds(2)


class Limits(Section, frozen=True, kw_only=True):
    """How many values a label may take before the rest share ``__other__``.

    ``series`` bounds names times queues, and exceptions over all names; long labels take the
    room of several.
    """

    names: Count = 2000
    queues: Count = 1000
    workers: Count = 2000
    exceptions: Count = 100
    series: Count = 10_000


class Metrics(Section, frozen=True, kw_only=True):
    """How metrics are exposed."""

    compat: bool = False
    zero_born_hold: Seconds = Seconds(15)
    limits: Limits = Limits()


class TaskBuckets(Section, frozen=True, kw_only=True):
    """Histogram buckets in seconds for the tasks a glob matches; an empty list turns one off."""

    match: Text = "*"
    runtime: tuple[float, ...] = RUNTIME_BUCKETS
    queue_wait: tuple[float, ...] = WAIT_BUCKETS


class ExceptionCategory(Section, frozen=True, kw_only=True):
    """Files exceptions whose class name a glob matches under a category."""

    match: Text
    category: Text


class Tasks(Section, frozen=True, kw_only=True):
    """The task tracker: what is remembered, for how long, under which labels."""

    labels: tuple[Literal["hostname"], ...] = ()
    max_records: Count = 500_000
    ttl: Seconds = Seconds(24 * 3600)
    grace: Seconds = Seconds(300)
    buckets: tuple[TaskBuckets, ...] = ()
    prefetch_buckets: tuple[float, ...] = WAIT_BUCKETS
    categories: tuple[ExceptionCategory, ...] = ()


class Workers(Section, frozen=True, kw_only=True):
    """Worker liveness; ``wedged_after`` is how long one may idle beside a backlog.

    ``shutdown_timeout`` is how long one may go on without a word after its goodbye.
    """

    forget_after: Seconds = Seconds(24 * 3600)
    shutdown_timeout: Seconds = Seconds(300)
    wedged_after: Seconds = Seconds(60)


class TaskObjectives(Section, frozen=True, kw_only=True):
    """What is asked of the tasks a glob matches; a key left out is left to the next rule."""

    match: Text
    severity: thresholds.Severity = "warning"
    failure_ratio: thresholds.Ratio | msgspec.UnsetType = msgspec.UNSET
    retry_ratio: thresholds.Ratio | msgspec.UnsetType = msgspec.UNSET
    runtime_seconds: thresholds.Duration | msgspec.UnsetType = msgspec.UNSET
    stuck_seconds: thresholds.Duration | msgspec.UnsetType = msgspec.UNSET
    silence_seconds: thresholds.Duration | msgspec.UnsetType = msgspec.UNSET
    minimum_runs: thresholds.Runs | msgspec.UnsetType = msgspec.UNSET
    failure_budget: thresholds.Budget | msgspec.UnsetType = msgspec.UNSET


class QueueObjectives(Section, frozen=True, kw_only=True):
    """What is asked of the queues a glob matches; a key left out is left to the next rule."""

    match: Text
    severity: thresholds.Severity = "warning"
    length: thresholds.Length | msgspec.UnsetType = msgspec.UNSET
    age_seconds: thresholds.Duration | msgspec.UnsetType = msgspec.UNSET
    workers: thresholds.Workers | msgspec.UnsetType = msgspec.UNSET


class Objectives(Section, frozen=True, kw_only=True):
    """What the alert rules compare with; ``objectives.py`` has what applies beyond them."""

    tasks: tuple[TaskObjectives, ...] = ()
    queues: tuple[QueueObjectives, ...] = ()


class State(Section, frozen=True, kw_only=True):
    """Where the model is kept over a restart, and how often; without a file nowhere."""

    file: Text | None = None
    interval: Seconds = Seconds(30)


class Config(Section, frozen=True, kw_only=True):
    """Everything the daemon can be told."""

    broker: Broker = Broker()
    result_backend: ResultBackend = ResultBackend()
    web: Web = Web()
    log: Log = Log()
    events: Events = Events()
    queues: Queues = Queues()
    polling: Polling = Polling()
    metrics: Metrics = Metrics()
    tasks: Tasks = Tasks()
    workers: Workers = Workers()
    objectives: Objectives = Objectives()
    state: State = State()
