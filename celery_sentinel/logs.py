"""Logs: events with keys, one line each on stderr, without secrets and without forgeries."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any

import structlog

from celery_sentinel import log_limit

if TYPE_CHECKING:
    from collections.abc import Callable

    from celery_sentinel import redaction
    from celery_sentinel.config import schema

PACKAGE = "celery_sentinel"
_FIRST = ("ts", "level", "event")
_MAX_DEPTH = 8
_LONGEST_TEXT = 200  # characters of a text by which it is told from others
_STYLES = ("\x1b[2m", "\x1b[1m", "\x1b[0m")

Logger = structlog.stdlib.BoundLogger
Event = structlog.typing.EventDict
Render = structlog.typing.Processor


def get(name: str) -> Logger:
    """Return the logger of a module: ``logs.get(__name__).info("broker_lost", retry_in=2.1)``."""
    logger: Logger = structlog.stdlib.get_logger(name)
    return logger


def configure(
    log: schema.Log,
    scrubber: redaction.Scrubber,
    *,
    write: Callable[[str], None] | None = None,
) -> None:
    """Send all logs to stderr, scrubbed; may be called again, after a reload.

    Our own events appear from ``log.level`` on; those of libraries, which log through the
    standard library, from there or from WARNING on, whichever is higher, and each text once a
    minute: what strangers send must not make lines at will. ``write`` takes each
    line without its end and must not raise; without it lines go to stderr at once.
    """
    level = logging.getLevelNamesMapping()[log.level.upper()]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # or a reload could not change the level
    )
    root = logging.getLogger()
    for handler in root.handlers[:]:
        root.removeHandler(handler)  # it would print what nobody has scrubbed
    root.addHandler(_Lines(_formatter(_renderer(log.format), scrubber), level, write or _write))
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(PACKAGE).setLevel(level)
    logging.captureWarnings(capture=True)


class _Lines(logging.Handler):
    """Makes a line of each record and never raises."""

    def __init__(
        self, formatter: logging.Formatter, level: int, write: Callable[[str], None]
    ) -> None:
        super().__init__()
        self._libraries_from = max(level, logging.WARNING)
        self._limit = log_limit.LogLimit()
        self._write = write
        self.setFormatter(formatter)

    def filter(self, record: logging.LogRecord) -> bool:
        """Pass ours, and of libraries what is worth an operator's attention."""
        worthy = _is_ours(record) or record.levelno >= self._libraries_from
        return worthy and bool(super().filter(record))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; say so when it cannot be rendered."""
        try:
            if not _is_ours(record) and not self._admit(record):
                return
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - a record of a library may hold anything
            line = self.format(_unreadable(record, error))
        self._write(line)

    def _admit(self, record: logging.LogRecord) -> bool:
        keys = self._limit.admit(f"{record.name} {record.msg!s:.{_LONGEST_TEXT}}")
        record.__dict__.update(keys or {})
        return keys is not None


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name == PACKAGE or record.name.startswith(f"{PACKAGE}.")


def _write(line: str) -> None:
    """Write to what ``sys.stderr`` is at that moment."""
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return  # stderr is closed: there is nowhere left to say it


def _unreadable(record: logging.LogRecord, error: Exception) -> logging.LogRecord:
    """Return what is logged in place of a record that cannot be rendered."""
    text = f"a record that cannot be rendered: {type(error).__name__}"
    kept = {"name": record.name, "levelname": record.levelname, "levelno": record.levelno}
    return logging.makeLogRecord({**kept, "msg": text})


def _formatter(render: Render, scrubber: redaction.Scrubber) -> logging.Formatter:
    def scrub_values(_logger: Any, _method: str, event: Event) -> Event:
        """Scrub before rendering, which may escape a secret beyond recognition."""
        return {
            key if key in _FIRST else scrubber.scrub(key): _scrubbed(value, scrubber)
            for key, value in event.items()
        }

    def render_scrubbed(logger: Any, method: str, event: Event) -> str:
        """Scrub the line too: a secret may stand across two values."""
        return scrubber.scrub(str(render(logger, method, event)))

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_name_foreign],
        processors=[
            _stamp,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            scrub_values,
            render_scrubbed,
        ],
    )


def _name_foreign(_logger: Any, _method: str, event: Event) -> Event:
    """Give a library's free text a static event name, as ours have."""
    record = event["_record"]
    told = {**event, "event": "library_log", "logger": record.name, "message": event["event"]}
    suppressed = getattr(record, "suppressed", None)
    return told if suppressed is None else {**told, "suppressed": suppressed}


def _stamp(_logger: Any, _method: str, event: Event) -> Event:
    """Put time (UTC, RFC 3339) and level first."""
    record: logging.LogRecord = event["_record"]
    moment = dt.datetime.fromtimestamp(record.created, dt.UTC)
    ts = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"ts": ts, "level": record.levelname.lower(), "event": event.pop("event"), **event}


def _scrubbed(value: Any, scrubber: redaction.Scrubber, depth: int = 0) -> Any:
    """Return ``value`` as plain data without secrets."""
    if value is None or type(value) in {bool, int, float}:
        return value
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        return {
            scrubber.scrub(str(key)): _scrubbed(item, scrubber, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple) and depth < _MAX_DEPTH:
        return [_scrubbed(item, scrubber, depth + 1) for item in value]
    return scrubber.scrub(str(value))


def _renderer(form: schema.Format) -> Render:
    terminal = sys.stderr is not None and sys.stderr.isatty()  # None: started without it
    if form == "json":
        return structlog.processors.JSONRenderer()
    if form == "console" or (form == "auto" and terminal):
        return _Console(coloured=terminal and not os.environ.get("NO_COLOR"))
    return _render_logfmt


def _render_logfmt(_logger: Any, _method: str, event: Event) -> str:
    return " ".join(f"{_key(key)}={_logfmt_value(value)}" for key, value in event.items())


def _key(key: str) -> str:
    """Return a key that cannot be taken for two, or for a value."""
    return "".join(char if char.isalnum() or char in "_.-" else "_" for char in key)


def _logfmt_value(value: Any) -> str:
    """Write a value; one that is not a plain word is quoted the way JSON does."""
    text = value if isinstance(value, str) else json.dumps(value)
    if text and text.isprintable() and not set(text) & set(' "=\\'):
        return text
    return _escaped(json.dumps(text, ensure_ascii=False))


def _escaped(text: str) -> str:
    """Escape what could move the cursor or begin a line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class _Console:
    """Writes lines for a person; a traceback follows, indented so that none of it is a line."""

    def __init__(self, *, coloured: bool) -> None:
        self._dim, self._bold, self._off = _STYLES if coloured else ("", "", "")

    def __call__(self, _logger: Any, _method: str, event: Event) -> str:
        ts, level, name = (_escaped(event.pop(key)) for key in _FIRST)
        traceback = event.pop("exception", None)
        pairs = "".join(
            f" {self._dim}{_key(key)}={self._off}{_logfmt_value(value)}"
            for key, value in event.items()
        )
        line = f"{self._dim}{ts}{self._off} {level:<7} {self._bold}{name}{self._off}{pairs}"
        lines = str(traceback).split("\n") if traceback else []
        return "\n".join([line, *(f"    {_escaped(each)}" for each in lines)])
