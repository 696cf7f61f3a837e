#!/usr/bin/env python3
"""Writes docs/config.md: settings from the schema, flags from the commands, an example that loads.

Usage: ``python docs/config_page.py > docs/config.md``, which ``make docs`` does.
"""

from __future__ import annotations

import pathlib
import sys
import typing
from typing import TYPE_CHECKING, Annotated, Any, Literal

import click
import config_objectives
import msgspec

from celery_sentinel.cli import commands
from celery_sentinel.config import durations, schema, thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLE = pathlib.Path(__file__).with_name("example.yml")

INTRODUCTION = """\
# Configuration

<!-- Written by docs/config_page.py (`make docs`); edit that, the schema or docs/example.yml. -->

Everything works without a config file. Where a setting has several sources, a flag goes before
its environment variable, that before the config file, and that before the default.

`celery-sentinel check-config FILE` says what is wrong with a file: the line, the key, what was
found, what is allowed. If nothing is, it prints what would be used, with `***` for secrets. It
counts flags and environment variables as `run` does.

## Flags of `celery-sentinel run`
"""

SECRETS = """
The broker URL usually holds a password, so it has more sources than one: `--broker-url`,
`--broker-url-file` (a file of one line), their variables, and the file
`$CREDENTIALS_DIRECTORY/broker-url`, which systemd's `LoadCredential=` provides. Flags go first,
then the variables, then that file, then `broker.url` of the config file. A URL and a file for it
on the same level are refused.

## The config file

The file is YAML in UTF-8, one mapping of the sections below.

- Unknown keys, wrong types and keys given twice are errors, never ignored.
- A value without quotes is `true`, `false`, a number, `null`, or else text: `yes`, `on` and
  `12:30` are text. Anchors, aliases and tags are refused.
- A duration is a number of seconds, or a number with a unit: `15s`, `5m`, `24h`, `7d`.
- A glob matches the whole name: `*` any characters, `?` one, `[ab]` one of several.

## Reloading

SIGHUP loads the configuration afresh, and so does `POST /-/reload` with
`--web.enable-lifecycle`. A configuration that cannot be used changes nothing: the log says why
and `celery_sentinel_config_last_reload_successful` is 0. What takes effect at once is marked
&#8635; below. The log names the changed sections of which something waits for a restart.
"""

# What each setting means, by its path; a list is entered with []. The drift test sees to it
# that no key of the schema is missing here and none is left over.
MEANINGS: Mapping[str, str] = {
    "broker": "Where Celery's events come from.",
    "broker.url": "The broker's URL as Celery takes it. Several of one kind, for failover, are "
    "divided by semicolons. Allowed: `redis`, `rediss`, `redis+socket`, `sentinel`, `amqp`, "
    "`amqps`, and kombu's other transports; those that cannot fan out carry no events.",
    "broker.transport_options": "The same as the application's `broker_transport_options`. "
    "For `sentinel://` the key `master_name` is needed. What changes where Redis carries "
    "the events (`global_keyprefix`, `fanout_prefix`) must be the same as in the application.",
    "broker.tls": "TLS for the connection to Redis or RabbitMQ; the section by itself turns it on. "
    "The files must exist when the configuration is loaded.",
    "broker.tls.ca_file": "PEM file with the authorities that sign the broker's certificate; "
    "without it the system's count.",
    "broker.tls.cert_file": "PEM file with our own certificate, together with `key_file`.",
    "broker.tls.key_file": "PEM file with the key of that certificate.",
    "broker.tls.verify_hostname": "Whether the certificate must be for the host in the URL.",
    "broker.management_url": "RabbitMQ's management API, such as `http://localhost:15672`. With it "
    "unacknowledged messages are known, and queues nobody named. Without a user in it the "
    "broker's own is taken; `https` certificates are verified, with `broker.tls.ca_file` if "
    "given.",
    "broker.durable_events": "On RabbitMQ: keep the events in a named, durable queue while the "
    "daemon is away, so that a restart loses none. [What it costs](durable-events.md) the broker. "
    "With any other broker it does nothing, and `check-config` says so.",
    "result_backend": "Where Celery keeps results; it is only watched for being there.",
    "result_backend.url": "The application's `result_backend`: `redis`, `rediss`, `redis+socket`, "
    "`sentinel`, `rpc`, or `db+` and a SQLAlchemy URL, whose driver must be installed.",
    "result_backend.transport_options": "The same as the application's "
    "`result_backend_transport_options`; for `sentinel://` the key `master_name` is needed.",
    "web": "Where Prometheus scrapes, and people look.",
    "web.listen_address": "`[HOST]:PORT`, one or more. Without HOST it is every interface; "
    "port 0 is any free one, which the log names.",
    "web.telemetry_path": "The path of the metrics.",
    "web.enable_lifecycle": "Whether `POST /-/reload` exists.",
    "web.config_file": "TLS, passwords and headers, in a file of its own; see [web.md](web.md).",
    "log": "What is logged to stderr, and how. Task events are never logged.",
    "log.level": "The least to log.",
    "log.format": "`auto` is `console` on a terminal, else `logfmt`.",
    "events": "The event stream.",
    "events.enable": "Ask workers to send task events: each process twice after it is first "
    "heard, then every 30 s while it runs tasks and sends none.",
    "events.exchange": "The application's `event_exchange`.",
    "events.queue_prefix": "On RabbitMQ and kombu's other transports our queue is called "
    "PREFIX`.sentinel.`UUID. The application's setting is `event_queue_prefix`.",
    "events.queue_ttl": "On RabbitMQ, how long an event waits for us before the broker drops "
    "it; at most 49d. On kombu's other transports, how long an abandoned queue of ours stays.",
    "events.queue_max_bytes": "On RabbitMQ, how large our queue may grow before the broker "
    "drops the oldest events. Only the bodies count.",
    "events.queue_name": "With `broker.durable_events`, the end of the queue's name, "
    "PREFIX`.sentinel.`NAME; no two daemons may share one. By default the host's name, so set it "
    "where that changes with each start.",
    "events.durable_for": "With `broker.durable_events`, how long the queue and each event in it "
    "wait for the daemon; at most 49d.",
    "queues": "Queue names beside those that events tell.",
    "queues.watch": "Queues that are known from the start. They cannot be ignored.",
    "queues.ignore": "Globs of queues that are not listed.",
    "queues.dead_letter": "Globs of queues whose `role` is `dead_letter`. A name without "
    "wildcards is known from the start.",
    "queues.forget_after": "How long a queue is kept that nobody mentions any more: no worker "
    "consumes it, no task is sent to it, the broker lists it nowhere.",
    "polling": "How often broker and workers are asked, off the path of scrapes and events.",
    "polling.queues": "The time between two looks at all queues.",
    "polling.workers": "The time between two rounds of questions to all workers.",
    "polling.timeout": "How long workers may take to answer. Below 1 s kombu loses answers on "
    "Redis, so that is refused there.",
    "metrics": "How metrics are exposed.",
    "metrics.compat": "Also expose the metrics of danihodovic/celery-exporter whose names follow "
    "no convention: two histograms and three counts of consumers.",
    "metrics.zero_born_hold": "How long a counter is shown as 0 after it is first scraped; 0 turns "
    "that off. With more than one scraper, no less than their scrape interval.",
    "metrics.limits": "How many values a label may have before what is new counts under "
    "`__other__`.",
    "metrics.limits.names": "Task names.",
    "metrics.limits.queues": "Queue names.",
    "metrics.limits.workers": "Workers. Those over it have no series of their own.",
    "metrics.limits.exceptions": "Exception classes of each task name and queue.",
    "metrics.limits.series": "Pairs of task name and queue; with `tasks.labels`, triples with "
    "the worker. As many again are the exceptions of all of them together. One whose labels are "
    "longer than 64 bytes counts once more for each further 64.",
    "tasks": "What is remembered of tasks, for how long, under which labels.",
    "tasks.labels": "`hostname` adds the worker to the task metrics. It multiplies their number.",
    "tasks.max_records": "Tasks followed at the same time. Over it the oldest are dropped, ended "
    "ones before open ones.",
    "tasks.ttl": "How long a task may be silent before it is given up. One with an eta is given "
    "that long after its eta.",
    "tasks.grace": "How long an ended task is remembered: retries reuse its id, and events come "
    "late.",
    "tasks.buckets": "Histogram buckets for the tasks that `match`; the first match wins, and "
    "the defaults match the rest.",
    "tasks.buckets[].match": "Glob on the task's name.",
    "tasks.buckets[].runtime": "Upper bounds in seconds, ascending; an empty list turns the "
    "histogram off.",
    "tasks.buckets[].queue_wait": "The same for the wait in the queue.",
    "tasks.prefetch_buckets": "The same for the wait inside a worker, which is kept by queue.",
    "tasks.categories": "Categories of exceptions that go before the built-in table; the first "
    "match wins.",
    "tasks.categories[].match": "Glob on the class name, without its module.",
    "tasks.categories[].category": "Value of the label `category`.",
    "workers": "Worker liveness.",
    "workers.forget_after": "How long a lost worker stays, with `celery_worker_up` 0.",
    "workers.wedged_after": "How long a worker may start nothing beside a backlog and free slots "
    "before `celery_worker_wedged` says so.",
    **config_objectives.MEANINGS,
    "state": "Where the model is kept over a restart; see [state.md](state.md).",
    "state.file": "The file, in a directory that this user may write in. Each daemon needs one of "
    "its own. Without it nothing is kept.",
    "state.interval": "The time between two snapshots, from 1s to 1h. A daemon that is killed goes "
    "back to the last one.",
}

# What SIGHUP takes over; everything else waits for a restart. Sections and single keys.
RELOADED = ("log", "queues", "metrics.compat", "metrics.zero_born_hold", "events.enable",
            "tasks.categories", "objectives", "workers.wedged_after")  # fmt: skip


def page() -> Iterator[str]:
    """Yield the lines of the page."""
    yield INTRODUCTION
    yield from _head("flag", "variable", "meaning")
    yield from _flags()
    yield SECRETS
    for field in msgspec.structs.fields(schema.Config):
        yield from _section(field.name, field.type)
    yield from ("## A complete example", "", "```yaml", EXAMPLE.read_text().rstrip(), "```")


def keys(kind: Any = schema.Config, above: str = "") -> Iterator[str]:
    """Yield the path of every section and setting of the schema."""
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        path = f"{above}.{name}" if above else name
        yield path
        inner, mark = _inner(hint)
        if inner is not None:
            yield from keys(inner, path + mark)


def is_reloaded(path: str) -> bool:
    """Tell whether a setting takes effect without a restart."""
    return any(path == each or path.startswith((f"{each}.", f"{each}[")) for each in RELOADED)


def _flags() -> Iterator[str]:
    for option in commands.main.commands["run"].params:
        help_text = getattr(option, "help", "") or ""
        if isinstance(option.type, click.Choice):
            help_text += f" Allowed: {', '.join(option.type.choices)}."
        variable = option.envvar if isinstance(option.envvar, str) else ""
        metavar = f" {option.metavar}" if option.metavar else ""
        yield _row(f"`{option.opts[0]}{metavar}`", f"`{variable}`", help_text)


def _section(path: str, kind: Any) -> Iterator[str]:
    """Yield heading, meaning and table of a section, then those of the sections inside it."""
    yield from (f"## {path}", "", MEANINGS.get(path, ""), "")
    yield from _head("key", "type", "default", "meaning")
    yield from _settings(path, kind)
    yield ""


def _settings(path: str, kind: Any) -> Iterator[str]:
    hints = typing.get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        here = f"{path}.{field.name}"
        inner, mark = _inner(hints[field.name])
        type_name = _type(hints[field.name])
        default = _default(field) if inner is None else "empty" if mark else "see its keys"
        if field.default is msgspec.UNSET:
            default = config_objectives.default(kind, field.name)
        if here == "broker.tls":
            default = "none"
        reloaded = " &#8635;" if is_reloaded(here) else ""
        yield _row(f"`{here}`{reloaded}", type_name, default, MEANINGS.get(here, ""))
        if inner is not None:
            yield from _settings(here + mark, inner)


def _inner(hint: Any) -> tuple[Any, str]:
    """Return the section a type leads to, if any, and how its path goes on."""
    options = [kind for kind in typing.get_args(hint) if kind is not type(None)]
    if typing.get_origin(hint) is tuple and _is_section(options[0]):
        return options[0], "[]"
    kind = options[0] if type(None) in typing.get_args(hint) else hint
    return (kind, "") if _is_section(kind) else (None, "")


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _type(hint: Any) -> str:
    """Name a type in the words of the config file."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    words = {bool: "true or false", float: "number", str: "text", durations.Seconds: "duration"}
    if type(None) in options or msgspec.UnsetType in options:
        text = _type(options[0])
    elif origin is tuple:
        text = f"list of {_plural(options[0])}"
    elif origin is Literal:
        text = ", ".join(f"`{option}`" for option in options)
    elif origin is Annotated:
        text = "whole number from 1" if options[0] is int else "text"
    elif origin is dict or _is_section(hint):
        text = "mapping"
    elif isinstance(hint, type) and issubclass(hint, thresholds.Threshold):
        text = config_objectives.TYPES[hint]
    else:
        text = words[hint]
    return text


def _plural(kind: Any) -> str:
    plurals = {"number": "numbers", "text": "texts", "mapping": "mappings"}
    return plurals.get(_type(kind), _type(kind))


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    value = field.default
    if value is msgspec.NODEFAULT:
        value = field.default_factory()
    return _written(value)


def _written(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | dict):
        return ", ".join(map(_written, value)) or "empty"
    if isinstance(value, float) and not isinstance(value, durations.Seconds):
        return f"{value:g}"
    return f"`{value}`"


def _head(*cells: str) -> tuple[str, str]:
    return _row(*cells), _row(*["---"] * len(cells))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(page()) + "\n")
