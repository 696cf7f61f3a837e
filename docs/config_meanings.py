"""What each setting means, for config_page.py: by its path, in which a list is entered with [].

The drift test sees to it that no key of the schema is missing and none is left over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import config_objectives

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    "broker's own is taken; `https` certificates are verified, by `broker.management_tls` or "
    "`broker.tls` if given. A `/api` at its end does no harm.",
    "broker.durable_events": "On RabbitMQ: keep the events in a named, durable queue while the "
    "daemon is away, so that a restart loses none. [What it costs](durable-events.md) the broker. "
    "With any other broker it does nothing, and `check-config` says so.",
    "broker.login_method": "How to log in at RabbitMQ, as Celery's `broker_login_method`: `PLAIN` "
    "(the default), `AMQPLAIN`, or `EXTERNAL`, where our certificate in `broker.tls` is the user.",
    "broker.management_tls": "TLS for an `https` management API, which is a connection of its own. "
    "Without this section `broker.tls` holds for it too.",
    "broker.management_tls.ca_file": "As in `broker.tls`.",
    "broker.management_tls.cert_file": "As in `broker.tls`.",
    "broker.management_tls.key_file": "As in `broker.tls`.",
    "broker.management_tls.verify_hostname": "Whether the certificate must be for the host in "
    "`broker.management_url`.",
    "broker.control_exchange": "The application's `control_exchange`, by which workers are asked.",
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
    "workers.shutdown_timeout": "How long a worker that said goodbye may go on with its last tasks "
    "without a word, before they count as lost: no shorter than what your supervisor gives it.",
    "workers.wedged_after": "How long a worker may start nothing beside a backlog and free slots "
    "before `celery_worker_wedged` says so.",
    **config_objectives.MEANINGS,
    "state": "Where the model is kept over a restart; see [state.md](state.md).",
    "state.file": "The file, in a directory that this user may write in. Each daemon needs one of "
    "its own. Without it nothing is kept.",
    "state.interval": "The time between two snapshots, from 1s to 1h. A daemon that is killed goes "
    "back to the last one.",
}
