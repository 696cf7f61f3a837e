"""Checks what types cannot: that the settings make sense together and outside this process."""

from __future__ import annotations

import functools
import itertools
import math
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping

from celery_sentinel import errors
from celery_sentinel.config import (
    addresses,
    durations,
    schema,
    texts,
    urls,
    validate_objectives,
)

Locate = Callable[[texts.Path], str]

RESERVED_PATHS = ("/", "/-/healthy", "/-/ready", "/-/reload", "/api/v1/status")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")
# kombu looks for answers on Redis in turns of a second, on one of its queues at a time.
_SHORTEST_TIMEOUT_ON_REDIS = durations.parse("1s")
# RabbitMQ takes x-expires as milliseconds in 32 bits.
_LONGEST_QUEUE_TTL = durations.parse("49d")
# A snapshot of half a million tasks takes some seconds; what is an hour old is of little use.
_STATE_INTERVALS = durations.parse("1s"), durations.parse("1h")


def check(config: schema.Config, locate: Locate) -> None:
    """Raise ConfigError for the first setting that cannot work; ``locate`` names its place."""
    _check_broker(config.broker, locate)
    _check_management(config.broker, locate)
    _check_result_backend(config, locate)
    _check_listen_addresses(config.web.listen_address, locate)
    _check_telemetry_path(config.web.telemetry_path, locate)
    _check_durations(config, locate)
    _check_polling(config, locate)
    _check_buckets(config.tasks, locate)
    validate_objectives.check(config, locate)
    _check_state(config.state, locate)


def doubts(config: schema.Config, locate: Locate) -> Iterator[str]:
    """Yield what works but will not do what it seems to."""
    if config.broker.durable_events and not urls.is_amqp(config.broker.url):
        path = ("broker", "durable_events")
        yield (
            f"{locate(path)}: {texts.dotted(path)} is on, but only RabbitMQ can keep events for "
            f"us; while the daemon is away from {urls.scheme_of(config.broker.url)} they are lost"
        )


def _check_broker(broker: schema.Broker, locate: Locate) -> None:
    path = ("broker", "url")
    _check_url(urls.check, broker.url, path, locate)
    _check_master(broker.url, broker.transport_options, path, locate)
    _check_visibility_timeout(broker, locate)
    if broker.tls is not None:
        _check_tls(broker.tls, ("broker", "tls"), locate)
    if broker.management_tls is not None:
        _check_tls(broker.management_tls, ("broker", "management_tls"), locate)
    for file in urls.files_of(broker.url):
        _check_readable(file, path, locate)
    _check_login(broker, locate)


def _check_login(broker: schema.Broker, locate: Locate) -> None:
    path = ("broker", "login_method")
    if broker.login_method is None:
        return
    if not urls.is_amqp(broker.url):
        allowed = "none, unless broker.url is amqp or amqps: only RabbitMQ has several"
        raise texts.found(locate(path), path, broker.login_method, allowed)
    if broker.login_method == "EXTERNAL" and not urls.presents_certificate(broker.url):
        tls = broker.tls
        if tls is None or tls.cert_file is None:
            allowed = "EXTERNAL with broker.tls.cert_file and key_file: the certificate is the user"
            raise texts.found(locate(path), path, "EXTERNAL without a certificate", allowed)


def _check_url(checked: Callable[[str], None], url: str, path: texts.Path, locate: Locate) -> None:
    try:
        checked(url)
    except ValueError as error:
        raise errors.ConfigError(f"{locate(path)}: {texts.dotted(path)}: the URL {error}") from None


def _check_master(
    url: str, options: Mapping[str, object], path: texts.Path, locate: Locate
) -> None:
    if urls.scheme_of(url) == "sentinel" and not options.get("master_name"):
        raise errors.ConfigError(
            f"{locate(path)}: {texts.dotted(path)}: the URL has the scheme 'sentinel', which "
            f"needs the name of the master; give {path[0]}.transport_options.master_name in the "
            "config file",
        )


def _check_visibility_timeout(broker: schema.Broker, locate: Locate) -> None:
    path = ("broker", "transport_options", urls.VISIBILITY_TIMEOUT)
    given = broker.transport_options.get(urls.VISIBILITY_TIMEOUT, 1)
    if urls.is_redis(broker.url) and not (
        isinstance(given, int | float) and 0 < given < math.inf and not isinstance(given, bool)
    ):
        shown = str(given) if isinstance(given, float) else texts.kind(given)
        raise texts.found(locate(path), path, shown, "a number of seconds above 0")


def _check_management(broker: schema.Broker, locate: Locate) -> None:
    path = ("broker", "management_url")
    if broker.management_url is None:
        return
    _check_url(urls.check_management, broker.management_url, path, locate)
    if not urls.is_amqp(broker.url):
        allowed = "none, unless broker.url is amqp or amqps: only RabbitMQ has a management API"
        raise texts.found(locate(path), path, "a URL", allowed)


def _check_result_backend(config: schema.Config, locate: Locate) -> None:
    path = ("result_backend", "url")
    url, options = config.result_backend.url, config.result_backend.transport_options
    if url is not None:
        checked = functools.partial(urls.check_result_backend, broker_url=config.broker.url)
        _check_url(checked, url, path, locate)
        _check_master(url, options, path, locate)


def _check_tls(tls: schema.Tls, section: texts.Path, locate: Locate) -> None:
    if (tls.cert_file is None) != (tls.key_file is None):
        given, missing = ("cert_file", "key_file") if tls.cert_file else ("key_file", "cert_file")
        path = (*section, given)
        raise texts.found(locate(path), path, f"no {missing} beside it", "both or neither")
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(tls, name)
        if file is not None:
            _check_readable(file, (*section, name), locate)


def _check_readable(file: str, path: texts.Path, locate: Locate) -> None:
    try:
        with pathlib.Path(file).open("rb"):
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise errors.ConfigError(
        f"{locate(path)}: {texts.dotted(path)}: cannot read {texts.quoted(file)}: {reason}; "
        "give a PEM file that this user may read",
    )


def _check_listen_addresses(listed: tuple[str, ...], locate: Locate) -> None:
    path: texts.Path = ("web", "listen_address")
    if not listed:
        raise texts.found(locate(path), path, "an empty list", "one address or more")
    seen: set[addresses.Address] = set()
    for index, text in enumerate(listed):
        here = (*path, index)
        try:
            address = addresses.parse(text)
        except ValueError:
            what = "text" if "@" in text else texts.quoted(text)
            raise texts.found(locate(here), here, what, addresses.ALLOWED) from None
        if address in seen and address.port:
            raise texts.found(locate(here), here, f"{text!r} again", "each address once")
        seen.add(address)


def _check_telemetry_path(text: str, locate: Locate) -> None:
    path = ("web", "telemetry_path")
    if not _PATH.fullmatch(text) or text.rstrip("/") in RESERVED_PATHS:
        raise texts.found(
            locate(path),
            path,
            texts.quoted(text),
            "a path such as /metrics: starting with /, of letters, digits and . _ ~ -, "
            f"and none of {', '.join(RESERVED_PATHS)}",
        )


def _check_durations(config: schema.Config, locate: Locate) -> None:
    positive = {
        ("events", "queue_ttl"): config.events.queue_ttl,
        ("events", "durable_for"): config.events.durable_for,
        ("queues", "forget_after"): config.queues.forget_after,
        ("polling", "queues"): config.polling.queues,
        ("polling", "workers"): config.polling.workers,
        ("polling", "timeout"): config.polling.timeout,
        ("tasks", "ttl"): config.tasks.ttl,
        ("tasks", "grace"): config.tasks.grace,
        ("workers", "forget_after"): config.workers.forget_after,
        ("workers", "shutdown_timeout"): config.workers.shutdown_timeout,
    }
    for path, seconds in positive.items():
        if not seconds:
            raise texts.found(locate(path), path, "0", "a duration longer than 0")
    for name in ("queue_ttl", "durable_for"):
        path = ("events", name)
        held: durations.Seconds = getattr(config.events, name)
        if held > _LONGEST_QUEUE_TTL:
            raise texts.found(locate(path), path, str(held), f"at most {_LONGEST_QUEUE_TTL}")


def _check_polling(config: schema.Config, locate: Locate) -> None:
    polling = config.polling
    path = ("polling", "timeout")
    if urls.is_redis(config.broker.url) and polling.timeout < _SHORTEST_TIMEOUT_ON_REDIS:
        allowed = (
            f"at least {_SHORTEST_TIMEOUT_ON_REDIS} with Redis, where answers may come a second "
            "late and would be lost"
        )
        raise texts.found(locate(path), path, str(polling.timeout), allowed)
    path = ("polling", "workers")
    if polling.workers < polling.timeout:
        allowed = f"at least polling.timeout ({polling.timeout}), so that polls do not overlap"
        raise texts.found(locate(path), path, str(polling.workers), allowed)


def _check_buckets(tasks: schema.Tasks, locate: Locate) -> None:
    _check_ascending(tasks.prefetch_buckets, ("tasks", "prefetch_buckets"), locate)
    for index, entry in enumerate(tasks.buckets):
        path = ("tasks", "buckets", index)
        _check_ascending(entry.runtime, (*path, "runtime"), locate)
        _check_ascending(entry.queue_wait, (*path, "queue_wait"), locate)


def _check_state(state: schema.State, locate: Locate) -> None:
    path: texts.Path = ("state", "interval")
    shortest, longest = _STATE_INTERVALS
    if not shortest <= state.interval <= longest:
        allowed = f"a duration from {shortest} to {longest}"
        raise texts.found(locate(path), path, str(state.interval), allowed)
    path = ("state", "file")
    if state.file is not None and ("\0" in state.file or state.file.endswith("/")):
        raise texts.found(
            locate(path),
            path,
            texts.quoted(state.file),
            "the path of a file, in a directory that this user may write in",
        )


def _check_ascending(bounds: tuple[float, ...], path: texts.Path, locate: Locate) -> None:
    for index, (before, bound) in enumerate(itertools.pairwise((0.0, *bounds))):
        here = (*path, index)
        if not math.isfinite(bound):
            allowed = "a finite number (the bucket +Inf is always there)"
            raise texts.found(locate(here), here, str(bound), allowed)
        if bound <= before:
            allowed = f"a number above {before:g}: bounds are seconds, ascending, each once"
            raise texts.found(locate(here), here, f"{bound:g}", allowed)
