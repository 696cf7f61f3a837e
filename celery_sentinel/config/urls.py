"""URLs of servers: refuses at the start what would fail at every attempt to connect."""

from __future__ import annotations

import difflib
import re
import urllib.parse

import kombu.transport

_REDIS = {"redis", "rediss", "sentinel"}
_AMQP = {"amqp", "amqps", "pyamqp", "librabbitmq"}
_SOCKET = "redis+socket"
VISIBILITY_TIMEOUT = "visibility_timeout"
RESULTS_OVER_BROKER = "rpc"
RESULTS_IN_DATABASE = "db+"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_CERT_REQS = re.compile(
    r"([?&]ssl_cert_reqs=)((?:cert_)?(?:none|optional|required))(?=[&;]|$)", re.IGNORECASE
)
_FILES = {"ca_certs", "certfile", "keyfile"}
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_OFTEN = (
    "redis, rediss, redis+socket, sentinel, amqp, amqps, memory, filesystem, "
    "and the other transports of kombu"
)
_RESULTS = "redis, rediss, redis+socket, sentinel, rpc, and db+ before an SQLAlchemy URL"
_LEAVE_OUT = "leave the section result_backend out: nothing else needs it"
_ENCODE = "a user or password with any of / ? # @ : % ; in it must be percent-encoded"


def supported() -> list[str]:
    """Return the schemes a broker URL may have."""
    return sorted({*kombu.transport.TRANSPORT_ALIASES, _SOCKET})


def scheme_of(url: str) -> str:
    """Return the scheme of the first broker of ``url``."""
    return url.partition("://")[0]


def is_redis(url: str) -> bool:
    """Tell whether ``url`` is that of a Redis server, by whatever way."""
    return scheme_of(url) in {*_REDIS, _SOCKET}


def is_amqp(url: str) -> bool:
    """Tell whether ``url`` is that of RabbitMQ."""
    return scheme_of(url) in _AMQP


def check(url: str) -> None:
    """Raise ValueError, with words that show nothing of a password, unless ``url`` is usable.

    Several brokers, for failover, are divided by ``;``.
    """
    if not url:
        raise ValueError("is empty; give one such as redis://localhost:6379/0")
    if _BLANK.search(url):
        raise ValueError("holds white space or a control character; percent-encode or remove it")
    parts = url.split(";")
    for part in parts:
        _check_part(part)
    families = {_family(scheme_of(part)) for part in parts}
    if len(families) > 1:
        raise ValueError(
            f"mixes {' and '.join(sorted(families))}; brokers for failover must be of one kind",
        )


def plain(url: str) -> str:
    """Return ``url`` with each ssl_cert_reqs as kombu knows it; people write None, cert_none."""
    return _CERT_REQS.sub(lambda found: found[1] + found[2].lower().removeprefix("cert_"), url)


def files_of(url: str) -> list[str]:
    """Return the files with certificates and keys that a broker URL names."""
    return [value for options in _options(url) for name, value in options.items() if name in _FILES]


def presents_certificate(url: str) -> bool:
    """Return whether every broker of ``url`` is named a certificate of ours in the URL itself."""
    return all("certfile" in options for options in _options(url))


def _options(url: str) -> list[dict[str, str]]:
    """Return the options behind the question mark of each broker, without their ``ssl_``."""
    return [
        {
            name.removeprefix("ssl_"): value
            for name, value in urllib.parse.parse_qsl(part.partition("?")[2])
        }
        for part in url.split(";")
    ]


def check_result_backend(url: str, broker_url: str) -> None:
    """Raise ValueError unless ``url``, as Celery takes it, is of a result backend we can watch.

    The words show nothing of a password.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        raise ValueError(
            f"has no scheme; write it as redis://HOST:PORT/DB, rpc:// or "
            f"db+postgresql://HOST/DATABASE; {_ENCODE}",
        )
    if is_redis(url):
        check(url)
    elif scheme == RESULTS_OVER_BROKER:
        if rest.strip("/"):
            raise ValueError("names a host, but results by rpc:// go over the broker; write rpc://")
        if not is_redis(broker_url) and not is_amqp(broker_url):
            raise ValueError(
                "is rpc://, which can be watched over Redis and RabbitMQ only, and broker.url is "
                f"neither; {_LEAVE_OUT}",
            )
    elif not scheme.startswith(RESULTS_IN_DATABASE):
        raise ValueError(f"has the scheme {scheme[:30]!r}; allowed: {_RESULTS}; else {_LEAVE_OUT}")


def check_management(url: str) -> None:
    """Raise ValueError unless ``url`` can be that of RabbitMQ's management API."""
    scheme = url.partition("://")[0]
    if scheme not in {"http", "https"}:
        raise ValueError("is none of HTTP; write it as http://HOST:15672 or https://HOST:15671")
    if _BLANK.search(url):
        raise ValueError("holds white space or a control character; percent-encode or remove it")
    parsed = _check_authority(url)
    if not parsed.hostname:
        raise ValueError(f"has no host; write it as {scheme}://HOST:PORT; {_ENCODE}")
    if parsed.query:
        raise ValueError("has a ? where none belongs; give the address alone, without a query")


def _family(scheme: str) -> str:
    if scheme in _AMQP:
        return "amqp"
    return "redis" if scheme in {"redis", "rediss"} else scheme


def _check_part(url: str) -> None:
    scheme, mark, _ = url.partition("://")
    if not mark or not _SCHEME.fullmatch(scheme):
        raise ValueError(
            f"has no scheme; write it as redis://HOST:PORT/DB or amqp://HOST:PORT/VHOST; {_ENCODE}",
        )
    _check_scheme(scheme)
    if scheme in _REDIS | _AMQP:
        _check_network(url)
    elif scheme == _SOCKET and not url.partition("://")[2].split("?")[0].strip("/"):
        raise ValueError("has no path; write it as redis+socket:///run/redis.sock")


def _check_scheme(scheme: str) -> None:
    known = supported()
    # kombu takes what stands before a plus as the transport of the rest: sqla+postgresql://
    if scheme in known or scheme.partition("+")[0] in set(known) - _REDIS - _AMQP:
        return
    near = difflib.get_close_matches(scheme.lower(), known, 1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"has the scheme {scheme[:30]!r}; {hint}allowed: {_OFTEN}")


def _check_network(url: str) -> None:
    database = _check_authority(url).path.strip("/")
    if scheme_of(url) in _REDIS and database and not re.fullmatch(r"[0-9]{1,5}", database):
        raise ValueError(
            f"has a path that is no database number; write it as redis://HOST:PORT/0; {_ENCODE}",
        )


def _check_authority(url: str) -> urllib.parse.SplitResult:
    """Return the parts of a URL whose host and port can be read."""
    try:
        parsed = urllib.parse.urlsplit(url)
        port = parsed.port
    except ValueError:  # its text would show a part of the URL
        raise ValueError(f"has a host or port that cannot be read; {_ENCODE}") from None
    beyond = f"{parsed.path}?{parsed.query}#{parsed.fragment}"
    if parsed.fragment or ("@" in beyond and "@" not in parsed.netloc):
        raise ValueError(f"has a # or @ where none belongs; {_ENCODE}")
    if port == 0:
        raise ValueError("has the port 0; a server listens on 1 to 65535")
    return parsed
