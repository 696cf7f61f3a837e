"""Checks what types cannot: that the settings make sense together and outside this process."""

from __future__ import annotations

import itertools
import math
import pathlib
import re
from collections.abc import Callable

from celery_sentinel import errors
from celery_sentinel.config import addresses, durations, faults, schema, urls

Locate = Callable[[faults.Path], str]

RESERVED_PATHS = ("/", "/-/healthy", "/-/ready", "/-/reload", "/api/v1/status")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")
# RabbitMQ takes x-expires as milliseconds in 32 bits.
_LONGEST_QUEUE_TTL = durations.parse("49d")


def check(config: schema.Config, locate: Locate) -> None:
    """Raise ConfigError for the first setting that cannot work; ``locate`` names its place."""
    _check_broker(config.broker, locate)
    _check_listen_addresses(config.web.listen_address, locate)
    _check_telemetry_path(config.web.telemetry_path, locate)
    _check_durations(config, locate)
    _check_buckets(config.tasks, locate)


def _check_broker(broker: schema.Broker, locate: Locate) -> None:
    path = ("broker", "url")
    try:
        urls.check(broker.url)
    except ValueError as error:
        raise errors.ConfigError(f"{locate(path)}: broker.url: the URL {error}") from None
    sentinel = urls.scheme_of(broker.url) == "sentinel"
    if sentinel and not broker.transport_options.get("master_name"):
        raise errors.ConfigError(
            f"{locate(path)}: broker.url: the URL has the scheme 'sentinel', which needs the name "
            "of the master; give broker.transport_options.master_name in the config file",
        )
    if broker.tls is not None:
        _check_tls(broker.tls, locate)


def _check_tls(tls: schema.Tls, locate: Locate) -> None:
    if (tls.cert_file is None) != (tls.key_file is None):
        given, missing = ("cert_file", "key_file") if tls.cert_file else ("key_file", "cert_file")
        path = ("broker", "tls", given)
        raise faults.found(locate(path), path, f"no {missing} beside it", "both or neither")
    for name in ("ca_file", "cert_file", "key_file"):
        file = getattr(tls, name)
        if file is not None:
            _check_readable(file, ("broker", "tls", name), locate)


def _check_readable(file: str, path: faults.Path, locate: Locate) -> None:
    try:
        with pathlib.Path(file).open("rb"):
            return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    raise errors.ConfigError(
        f"{locate(path)}: {faults.dotted(path)}: cannot read {faults.quoted(file)}: {reason}; "
        "give a PEM file that this user may read",
    )


def _check_listen_addresses(texts: tuple[str, ...], locate: Locate) -> None:
    path: faults.Path = ("web", "listen_address")
    if not texts:
        raise faults.found(locate(path), path, "an empty list", "one address or more")
    seen: set[addresses.Address] = set()
    for index, text in enumerate(texts):
        here = (*path, index)
        try:
            address = addresses.parse(text)
        except ValueError:
            what = "text" if "@" in text else faults.quoted(text)
            raise faults.found(locate(here), here, what, addresses.ALLOWED) from None
        if address in seen and address.port:
            raise faults.found(locate(here), here, f"{text!r} again", "each address once")
        seen.add(address)


def _check_telemetry_path(text: str, locate: Locate) -> None:
    path = ("web", "telemetry_path")
    if not _PATH.fullmatch(text) or text.rstrip("/") in RESERVED_PATHS:
        raise faults.found(
            locate(path),
            path,
            faults.quoted(text),
            "a path such as /metrics: starting with /, of letters, digits and . _ ~ -, "
            f"and none of {', '.join(RESERVED_PATHS)}",
        )


def _check_durations(config: schema.Config, locate: Locate) -> None:
    positive = {
        ("events", "queue_ttl"): config.events.queue_ttl,
        ("tasks", "ttl"): config.tasks.ttl,
        ("tasks", "grace"): config.tasks.grace,
        ("workers", "forget_after"): config.workers.forget_after,
    }
    for path, seconds in positive.items():
        if not seconds:
            raise faults.found(locate(path), path, "0", "a duration longer than 0")
    path = ("events", "queue_ttl")
    if config.events.queue_ttl > _LONGEST_QUEUE_TTL:
        found = str(config.events.queue_ttl)
        raise faults.found(locate(path), path, found, f"at most {_LONGEST_QUEUE_TTL}")


def _check_buckets(tasks: schema.Tasks, locate: Locate) -> None:
    _check_ascending(tasks.prefetch_buckets, ("tasks", "prefetch_buckets"), locate)
    for index, entry in enumerate(tasks.buckets):
        path = ("tasks", "buckets", index)
        _check_ascending(entry.runtime, (*path, "runtime"), locate)
        _check_ascending(entry.queue_wait, (*path, "queue_wait"), locate)


def _check_ascending(bounds: tuple[float, ...], path: faults.Path, locate: Locate) -> None:
    for index, (before, bound) in enumerate(itertools.pairwise((0.0, *bounds))):
        here = (*path, index)
        if not math.isfinite(bound):
            allowed = "a finite number (the bucket +Inf is always there)"
            raise faults.found(locate(here), here, str(bound), allowed)
        if bound <= before:
            allowed = f"a number above {before:g}: bounds are seconds, ascending, each once"
            raise faults.found(locate(here), here, f"{bound:g}", allowed)
