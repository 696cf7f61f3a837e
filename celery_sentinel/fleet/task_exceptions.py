"""What a failed task died of: the class of its exception and the category that heals it."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from celery_sentinel.fleet import labels, traceback_class

if TYPE_CHECKING:
    from collections.abc import Iterable

# First match wins. Globs on the class name without its module.
CATEGORIES: tuple[tuple[str, str], ...] = (
    ("NotRegistered", "unregistered"),
    ("SoftTimeLimitExceeded", "timeout"),
    ("TimeLimitExceeded", "timeout"),
    ("WorkerLostError", "resource"),
    ("Terminated", "resource"),
    ("MemoryError", "resource"),
    ("OutOfMemory*", "resource"),
    ("ResourceExhausted*", "resource"),
    ("BlockingIOError", "resource"),
    ("OSError", "resource"),
    ("OperationalError", "database"),
    ("InterfaceError", "database"),
    ("DatabaseError", "database"),
    ("InternalError", "database"),
    ("Deadlock*", "database"),
    ("LockNotAvailable*", "database"),
    ("SerializationFailure", "database"),
    ("TooManyConnections*", "database"),
    ("PoolTimeout", "database"),
    ("HTTPError", "upstream"),
    ("HTTPStatusError", "upstream"),
    ("*ServerError", "upstream"),
    ("BadGateway*", "upstream"),
    ("ServiceUnavailable*", "upstream"),
    ("TooManyRequests*", "upstream"),
    ("RateLimit*", "upstream"),
    ("ClientResponseError", "upstream"),
    ("BotoCoreError", "upstream"),
    ("ClientError", "upstream"),
    ("APIError", "upstream"),
    ("*SSLError", "network"),
    ("*SSLCertVerificationError", "network"),
    ("gaierror", "network"),
    ("herror", "network"),
    ("NameResolutionError", "network"),
    ("*Connection*Error", "network"),
    ("ConnectionError", "network"),
    ("*ConnectError", "network"),
    ("BrokenPipeError", "network"),
    ("IncompleteRead", "network"),
    ("RemoteDisconnected", "network"),
    ("RemoteProtocolError", "network"),
    ("MaxRetryError", "network"),
    ("ProxyError", "network"),
    ("NetworkError", "network"),
    ("TransportError", "network"),
    ("*Timeout", "network"),
    ("*TimeoutError", "network"),
    ("*TimedOut*", "network"),
)
DEFAULT_CATEGORY = "code"

_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,120}\Z")
# Without brackets only what ends like this is taken for a class: a message is no class.
_ENDINGS = ("Error", "Exception", "Exit", "Interrupt", "Timeout", "Warning")
_IN_ANGLES = re.compile(r"<(\w+)[ :]")
_ARGUMENT = re.compile(r"""\A\w+\(\s*(['"])(.{1,250}?)\1""")
_WRAPPERS = ("ExceptionWithTraceback(", "UnpickleableExceptionWrapper(")
_UNPICKLEABLE = re.compile(r"UnpickleableExceptionWrapper\('[^']{0,200}', '(\w{1,120})'")
# What Celery writes where no class is named: celery.exceptions' own reprs, and None for the
# exception of a retry that was asked for without one.
_PHRASES = (
    ("reject requeue=", "Reject"),
    ("Task of kind ", "NotRegistered"),
)
_NO_EXCEPTION = "None"
_MAX_NAME = 120
_CACHE_SIZE = 4096


def class_name(text: str) -> str:
    """Return the class of an exception from its repr as Celery's events carry it.

    The text is not always ``Name(...)``: redis-py writes ``network:ConnectionError``, urllib
    ``<HTTPError 404: 'Not Found'>``, a rejected task ``reject requeue=False: ...``, a retry
    without an exception ``None``. What cannot be read is ``unknown``, and so is a word that may be
    a message: each message would be a class of its own.
    """
    for beginning, name in _PHRASES:
        if text.startswith(beginning):
            return name
    if text == _NO_EXCEPTION:
        return traceback_class.CARRIER
    if found := _IN_ANGLES.match(text):
        head = found[1]
    else:
        head, bracket, _ = text.partition("(")
        head = head.strip().rpartition(":")[2].rpartition(".")[2]
        if not bracket and not head.endswith(_ENDINGS):
            return labels.UNKNOWN
    return head if head.isidentifier() and len(head) <= _MAX_NAME else labels.UNKNOWN


def unwrapped(text: str, traceback: str | None) -> str:
    """Return what an exception's wrapper hides, as far as it can be told.

    A child that died (out of memory, say) fails its task with ``ExceptionWithTraceback()``,
    and only the traceback's last line names WorkerLostError. An exception that cannot be
    pickled travels as ``UnpickleableExceptionWrapper('module', 'Name', ...)``.
    """
    if found := _UNPICKLEABLE.match(text):
        return found[1]
    last = (traceback or "").rstrip('" \n').rpartition("\n")[2].strip('" ')
    name = last.partition(":")[0]
    return name if _CLASS.match(name) else text


def first_argument(text: str) -> str | None:
    """Return the first argument of an exception's repr where it is a string literal."""
    match = _ARGUMENT.match(text)
    return match[2] if match else None


class Classifier:
    """Finds class and category of an exception; the site's patterns go before the table."""

    __slots__ = ("_cache", "_categories", "_patterns")

    def __init__(self, patterns: Iterable[tuple[str, str]] = ()) -> None:
        self._patterns = (*patterns, *CATEGORIES)
        self._cache: dict[str, tuple[str, str]] = {}  # by the beginning of a repr
        self._categories: dict[str, tuple[str, str]] = {}  # by class

    def classify(self, text: str | None, traceback: str | None = None) -> tuple[str, str]:
        """Return (class name, category) of an exception.

        The traceback names the class; the repr, which may be any text, counts where there is none,
        and where all that it names is a Retry.
        """
        if traceback and (text is None or not text.startswith(_PHRASES[0][0])):
            name = traceback_class.raised_class(traceback)
            if name is not None and name != traceback_class.CARRIER and len(name) <= _MAX_NAME:
                return self._with_category(name)
        if not text:
            return labels.UNKNOWN, DEFAULT_CATEGORY
        if text.startswith(_WRAPPERS):
            name = unwrapped(text, traceback).rpartition(".")[2]
            if name.isidentifier() and len(name) <= _MAX_NAME:
                return self._with_category(name)
        head = text[: text.find("(") + 1] or text[:200]
        found = self._cache.get(head)
        if found is None:
            found = self._with_category(class_name(head))
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            if len(head) <= labels.MAX_LENGTH:
                self._cache[head] = found
        return found

    def _with_category(self, name: str) -> tuple[str, str]:
        found = self._categories.get(name)
        if found is None:
            if len(self._categories) >= _CACHE_SIZE:
                self._categories.clear()
            found = self._categories[name] = name, self._category(name)
        return found

    def _category(self, name: str) -> str:
        for pattern, category in self._patterns:
            if fnmatchcase(name, pattern):
                return category
        return DEFAULT_CATEGORY
