"""What reaches stderr: one line an event, scrubbed, and no line that was not logged."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from typing import TYPE_CHECKING

import hypothesis
import pytest
import structlog
from hypothesis import strategies

from celery_sentinel import logs, redaction
from celery_sentinel.config import schema

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = 'hun"ter\\2é'
NAME = "celery_sentinel.test"


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Leave logging as it was."""
    root, ours = logging.getLogger(), logging.getLogger(logs.PACKAGE)
    handlers, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def configured(form: schema.Format = "logfmt", level: schema.Level = "info") -> logs.Logger:
    """Configure logs that hide HIDDEN and return a logger of ours."""
    logs.configure(schema.Log(format=form, level=level), redaction.Scrubber([HIDDEN]))
    return logs.get(NAME)


def fail(text: str) -> None:
    """Raise an exception of ``text``."""
    raise ValueError(text)


def fields(line: str) -> dict[str, str]:
    """Split a logfmt line without quoted values, leaving out its time."""
    pairs = dict(pair.split("=", 1) for pair in line.split())
    del pairs["ts"]
    return pairs


def test_logfmt_is_an_event_with_keys(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level and event come first, then the keys as they were given."""
    configured().warning("broker_lost", broker="redis://host", retry_in=2.1, first=True, why=None)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("ts=2")
    assert list(fields(err).items()) == [
        ("level", "warning"),
        ("event", "broker_lost"),
        ("broker", "redis://host"),
        ("retry_in", "2.1"),
        ("first", "true"),
        ("why", "null"),
    ]


def test_json_is_one_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Values keep their types, and the time is UTC."""
    configured("json").info("polled", queues=["a", "b"], took={"seconds": 0.5})
    line = json.loads(capsys.readouterr().err)
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "info",
        "event": "polled",
        "queues": ["a", "b"],
        "took": {"seconds": 0.5},
    }


def test_auto_is_logfmt_when_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal there are neither colours nor columns."""
    configured("auto").info("started")
    assert fields(capsys.readouterr().err) == {"level": "info", "event": "started"}


def test_the_level_is_the_least_that_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """Events below log.level are dropped, and a reload can change it for loggers in use."""
    log = configured(level="warning")
    log.info("one")
    log.warning("two")
    logs.configure(schema.Log(level="debug"), redaction.Scrubber(()))
    log.debug("three")
    assert [fields(line)["event"] for line in capsys.readouterr().err.splitlines()] == [
        "two",
        "three",
    ]


@pytest.mark.parametrize("name", ["uvicorn.error", "kombu", "amqp", "celery.worker", "anything"])
def test_libraries_are_heard_from_warning_on(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Libraries' logs run through the same pipeline, whatever level they chose for themselves."""
    configured(level="debug")
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.info("chatter")
    logger.warning("odd: %s", "x")
    logger.setLevel(level)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.endswith(f'level=warning event=library_log logger={name} message="odd: x"\n')


def test_a_library_says_one_thing_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    """A stranger who makes a library complain at will makes one line, for each text and logger."""
    configured()
    for number in range(1000):
        logging.getLogger("asyncio").warning("socket.send() raised %s", number)
    logging.getLogger("asyncio").warning("another")
    logging.getLogger("kombu").warning("another")
    logs.get("celery_sentinel.one").warning("ours")
    logs.get("celery_sentinel.one").warning("ours")
    assert capsys.readouterr().err.count("\n") == 5


def test_a_higher_level_holds_for_libraries_too(capsys: pytest.CaptureFixture[str]) -> None:
    """With log.level error the warnings of libraries are dropped as well."""
    configured(level="error")
    logging.getLogger("kombu").warning("odd")
    assert capsys.readouterr().err == ""


def test_warnings_of_python_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """A DeprecationWarning is no naked text on stderr."""
    configured()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(f"old {HIDDEN}", UserWarning, stacklevel=1)
    err = capsys.readouterr().err
    assert "event=library_log logger=py.warnings" in err
    assert "UserWarning: old ***" in err


@pytest.mark.parametrize("form", ["logfmt", "console", "json"])
def test_no_secret_is_shown(form: schema.Format, capsys: pytest.CaptureFixture[str]) -> None:
    """Secrets are masked in values at any depth, in messages, keys and tracebacks."""
    log = configured(form)
    log.info("event", plain=HIDDEN, deep=[{"a": (HIDDEN,)}], other=ValueError(HIDDEN))
    log.info(HIDDEN, **{HIDDEN: 1, "url": "amqp://u:x@host"})
    logging.getLogger("kombu").warning("lost %s", HIDDEN)
    try:
        fail(HIDDEN)
    except ValueError:
        log.exception("crashed")
        logging.getLogger("kombu").exception("crashed")
    err = capsys.readouterr().err
    assert err.count("ValueError: ***") == 2
    assert "amqp://u:***@host" in err
    assert "ter\\" not in err
    assert "hun" not in err
    assert HIDDEN not in err


@pytest.mark.parametrize("form", ["logfmt", "console", "json"])
@hypothesis.given(text=strategies.text())
def test_no_value_forges_a_line(form: schema.Format, text: str) -> None:
    """Whatever stands in a value, a key, an event or a library's text: one line a record."""
    configured(form)
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        logs.get(NAME).info("event", value=text, items=[text], **{f"key{text}": 1})
        logs.get(NAME).info(f"event{text}")
        logging.getLogger("kombu").warning("lost %s", text)
        lines = sys.stderr.getvalue().removesuffix("\n").split("\n")
    finally:
        sys.stderr = stderr
    assert len(lines) == 3
    assert [line for line in lines if not line.isprintable()] == []


def test_a_traceback_stays_on_its_line_in_logfmt(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception whose text has lines is one quoted value."""
    log = configured()
    try:
        fail("a\nts=2024 level=info event=forged")
    except ValueError:
        log.exception("crashed", task="t")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert 'exception="Traceback (most recent call last):\\n' in err


def test_a_traceback_is_indented_on_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    """For a person a traceback has its lines, none of which begins like a line of the log."""
    log = configured("console")
    try:
        fail("a\n2024 info forged\x1b[2J")
    except ValueError:
        log.exception("crashed", task="t")
    first, *others = capsys.readouterr().err.splitlines()
    assert first.endswith(" error   crashed task=t")
    assert others[0] == "    Traceback (most recent call last):"
    assert others[-1] == "    2024 info forged\\x1b[2J"
    assert [line for line in others if not line.startswith("    ")] == []


def test_a_record_that_cannot_be_rendered_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """A library's broken format string loses its text, but is not lost in silence."""
    configured("json")
    logging.getLogger("kombu").error("%d", HIDDEN)
    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["logger"]) == ("error", "kombu")
    assert line["message"] == "a record that cannot be rendered: TypeError"


def test_a_closed_stderr_is_no_error() -> None:
    """Logging never takes the daemon down."""
    log = configured()
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        sys.stderr.close()
        log.info("unheard")
    finally:
        sys.stderr = stderr


def test_configuring_again_replaces_the_handler(capsys: pytest.CaptureFixture[str]) -> None:
    """After a reload every event is still written once."""
    configured()
    configured().info("once")
    assert capsys.readouterr().err.count("once") == 1
