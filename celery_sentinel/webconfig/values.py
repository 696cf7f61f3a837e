"""Checks the values of a web config file that need no other file: hashes, headers, durations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from celery_sentinel import errors
from celery_sentinel.config import texts

if TYPE_CHECKING:
    from celery_sentinel.webconfig import schema

Locate = Callable[[texts.Path], str]

# What the toolkit lets an operator set, and the values where there are few.
HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
# One comparison takes about 50 ms at cost 10 and twice that with each step.
SLOW_COST, HIGHEST_COST = 13, 16

_HASH = re.compile(r"\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_HEADER_TEXT = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_PART = r"([0-9]{1,12}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})(ns|us|µs|μs|ms|s|m|h)"
_DURATION = re.compile(rf"\+?(?:{_PART})+")
_DURATION_ALLOWED = "a duration as Go writes it, such as 1s or 500ms, at most 1h; 0 is no limit"
_LONGEST = 3600.0


def check(config: schema.WebConfig, locate: Locate) -> Iterator[str]:
    """Yield doubts; raise ConfigError for the first value that cannot be used."""
    yield from _check_users(config.basic_auth_users or {}, locate)
    _check_headers(config.http_server_config.headers or {}, locate)
    if config.http_server_config.http2:
        path = ("http_server_config", "http2")
        yield (
            f"{locate(path)}: {texts.dotted(path)}: this server speaks HTTP/1.1 only; "
            "Prometheus does as well with it"
        )
    _check_rate_limit(config.rate_limit, locate)


def cost_of(hashed: str) -> int:
    """Return the cost that a bcrypt hash names."""
    return int(hashed[4:6])


def interval_of(limit: schema.RateLimit) -> float:
    """Return the seconds between two requests; 0 is no limit. Raise ValueError for a bad one."""
    given = limit.interval
    if isinstance(given, int):  # as the toolkit's YAML library takes it
        seconds = given * 1e-9
    elif given in {"0", "+0"}:
        seconds = 0.0
    elif _DURATION.fullmatch(given):
        seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, given))
    else:
        raise ValueError(given)
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(given)
    return seconds


def _check_users(users: dict[str, str], locate: Locate) -> Iterator[str]:
    for name, hashed in users.items():
        path = ("basic_auth_users", name)
        where = f"{locate(path)}: {texts.dotted(path)}"
        if ":" in name or not name:
            raise texts.found(locate(path), path, "a name that no client can send", "no colon")
        if not _HASH.fullmatch(hashed):
            raise errors.ConfigError(
                f"{where}: found text that is no bcrypt hash; allowed: a hash such as "
                "`htpasswd -nBC 10 NAME` prints, beginning with $2y$, $2b$ or $2a$"
            )
        cost = cost_of(hashed)
        if cost > HIGHEST_COST:
            raise texts.found(
                locate(path), path, f"a hash of cost {cost}", f"a cost up to {HIGHEST_COST}"
            )
        if cost >= SLOW_COST:
            yield (
                f"{where}: a hash of cost {cost} keeps a processor busy for about "
                f"{0.05 * 2 ** (cost - 10):.1f} s at each wrong password; cost 10 is usual"
            )


def _check_headers(headers: dict[str, str], locate: Locate) -> None:
    for name, value in headers.items():
        path = ("http_server_config", "headers", name)
        if name not in HEADERS:
            nearest = next((one for one in HEADERS if one.lower() == name.lower()), None)
            hint = f"did you mean {nearest}? " if nearest else ""
            where = ("http_server_config", "headers", texts.shortened(name))
            raise errors.ConfigError(
                f"{locate(path)}: {texts.dotted(where)}: found a header that cannot be set; "
                f"{hint}allowed: {', '.join(HEADERS)}"
            )
        if HEADERS[name] and value not in HEADERS[name]:
            allowed = " or ".join(HEADERS[name])
            raise texts.found(locate(path), path, texts.quoted(value), allowed)
        if value and not _HEADER_TEXT.fullmatch(value):
            allowed = "one line of ASCII without blanks at its ends"
            raise texts.found(locate(path), path, texts.quoted(value), allowed)


def _check_rate_limit(limit: schema.RateLimit, locate: Locate) -> None:
    path: texts.Path = ("rate_limit", "interval")
    try:
        seconds = interval_of(limit)
    except ValueError:
        found = texts.quoted(limit.interval)
        raise texts.found(locate(path), path, found, _DURATION_ALLOWED) from None
    path = ("rate_limit", "burst")
    if limit.burst < 0 or (seconds and not limit.burst):
        allowed = "1 or more: with none every request would be refused"
        raise texts.found(locate(path), path, str(limit.burst), allowed)
