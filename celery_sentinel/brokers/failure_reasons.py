"""Tells why a broker refused something, as one of few words that a metric can carry."""

from __future__ import annotations

import re
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel import poll_results

DEEPEST = 8  # causes of one error that are looked at
_LONGEST = 2000  # characters of a text that are looked at

# The classes of redis-py and py-amqp whose text has lost the word that tells, by name: neither
# library is needed to read it.
_CLASSES: dict[str, poll_results.Reason] = {
    "ReadOnlyError": "read_only",
    "MasterDownError": "read_only",
    "OutOfMemoryError": "out_of_memory",
    "ClusterError": "cluster",
    "ClusterDownError": "cluster",
    "ClusterCrossSlotError": "cluster",
    "MovedError": "cluster",
    "AskError": "cluster",
    "TryAgainError": "cluster",
    "NoPermissionError": "no_rights",
    "BusyLoadingError": "loading",
    "AuthenticationError": "authentication",
    "AuthenticationWrongNumberOfArgsError": "authentication",
    "MaxConnectionsError": "limit",
}
# The first that matches holds: what a server says comes before what a socket does.
_TEXTS: tuple[tuple[poll_results.Reason, str], ...] = (
    ("read_only", r"READONLY|read only replica|MASTERDOWN|Link with MASTER is down|NOREPLICAS"),
    ("out_of_memory", r"\bOOM command|used memory > 'maxmemory'|OutOfMemory"),
    ("misconfigured", r"\bMISCONF \w|configured to save RDB snapshots"),
    ("cluster", r"\bCROSSSLOT\b|same slot|\bMOVED \d|\bASK \d|CLUSTERDOWN|Hash slot not served"),
    ("loading", r"\bLOADING\b|loading the dataset in memory"),
    ("limit", (r"max number of clients|[Cc]onnection limit|number of channels opened|"
              r"connection_limit|limit .{1,200} is reached|[Tt]oo many connections")),
    ("blocked", r"alarm of RabbitMQ|connection\.blocked|connection blocked, see broker"),
    ("not_found", (r"vhost .{1,300} not found|NOT_FOUND|DB index is out of range|"
                  r"no such virtual host|vhost .{1,300} is down")),
    ("no_rights", (r"\bNOPERM\b|no permissions|ACCESS_REFUSED - access to|"
                  r"access to .{1,300} refused for user|access to vhost|HTTP status 403")),
    ("authentication", (r"\bWRONGPASS\b|\bNOAUTH\b|invalid (username-)?password|Authentication|"
                       r"ACCESS_REFUSED|auth mechanism|Login was refused|HTTP status 401|"
                       r"AUTH.{1,30}called without any password")),
    ("tls", r"\bSSL\b|certificate|CERTIFICATE|TLS|WRONG_VERSION_NUMBER"),
    ("timeout", r"[Tt]imed out|[Tt]imeout|no answer to PING|no heartbeat|no complete answer"),
    ("unreachable", (r"refused|unreachable|[Nn]o route|reset by peer|closed|Broken pipe|EOF|"
                    r"Name or service|name resolution|nodename|No address|hung up|aborted|"
                    r"No such file|onnecting to|No master found|not connected")),
)  # fmt: skip
_PATTERNS = tuple((reason, re.compile(pattern)) for reason, pattern in _TEXTS)


def of(error: BaseException) -> poll_results.Reason:
    """Return why a broker did not do what it was asked, from an error and its causes."""
    chain = tuple(_chain(error))
    if (seen := _of_remark(str(error))) is not None:
        return seen
    for one in chain:
        found = _of_class(one)
        if found is not None:
            return found
    texts = "\n".join(str(one)[:_LONGEST] for one in chain)
    told = of_text(texts)
    if told == "other" and any(isinstance(one, TimeoutError) for one in chain):
        return "timeout"
    if told == "other" and any(isinstance(one, OSError) for one in chain):
        return "unreachable"
    return told


def _of_remark(text: str) -> poll_results.Reason | None:
    """Return what another server that answers is a sign of (``other_servers``); None without."""
    if "without TLS answers there" in text or "answers there speaks TLS" in text:
        return "tls"
    return "wrong_protocol" if " answers there: " in text else None


def of_text(text: str) -> poll_results.Reason:
    """Return the same from what is only text."""
    if (seen := _of_remark(text)) is not None:
        return seen
    for reason, pattern in _PATTERNS:
        if pattern.search(text):
            return reason
    return "other"


def _of_class(error: BaseException) -> poll_results.Reason | None:
    if isinstance(error, ssl.SSLError):
        return "tls"
    for one in type(error).__mro__:
        found = _CLASSES.get(one.__name__)
        if found is not None:
            return found
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it came of, the nearest first."""
    left: BaseException | None = error
    for _ in range(DEEPEST):
        if left is None:
            return
        yield left
        left = left.__cause__ or left.__context__
