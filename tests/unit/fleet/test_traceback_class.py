"""A traceback names the class that was raised, whatever the exception says of itself."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import celery.exceptions
import hypothesis
import pytest
import redis
from hypothesis import strategies as st

from celery_sentinel.fleet import labels, task_exceptions, traceback_class

if TYPE_CHECKING:
    from collections.abc import Callable

QUOTED = "quoted:\nTraceback (most recent call last):\n  File x\nKeyError: inside"


class ToldError(Exception):
    """Its repr is its text, as in many an application."""

    def __repr__(self) -> str:
        return str(self)


class ValidationError(ValueError):
    """Its text has several lines, as pydantic's has."""

    def __str__(self) -> str:
        return (
            "2 validation errors for Order\nid\n  Input should be an integer "
            "[type=int_parsing, input_value='x']\nprice\n  Field required\n    For more: see"
        )

    __repr__ = __str__


def _raise(error: BaseException) -> None:
    raise error


def _chained(cause: BaseException, error: BaseException, *, explicit: bool) -> None:
    try:
        raise cause
    except type(cause):
        if explicit:
            raise error from cause
        raise error  # noqa: B904 -- the other way to chain


def _noted(error: BaseException) -> None:
    error.add_note("OtherError: a note that looks like a class")
    error.add_note("two\nlines")
    raise error


def _nested(depth: int) -> None:
    if depth:
        _nested(depth - 1)
    raise ToldError("deep")


def _local() -> None:
    class LocalError(Exception):
        pass

    raise LocalError("x: y")


RAISED: dict[str, tuple[Callable[[], object], str]] = {
    "plain": (lambda: _raise(ValueError("x")), "ValueError"),
    "no message": (lambda: _raise(ValueError()), "ValueError"),
    "a repr that is a text": (lambda: _raise(ToldError("user_9addb0")), "ToldError"),
    "a repr that is a path": (lambda: _raise(ToldError("acme.billing:declined")), "ToldError"),
    "a repr that is a call": (lambda: _raise(ToldError("charge(12) failed")), "ToldError"),
    "a repr that is a class": (lambda: _raise(ToldError("KeyError('x')")), "ToldError"),
    "many lines": (lambda: _raise(ValidationError()), "ValidationError"),
    "notes": (lambda: _noted(ToldError("x")), "ToldError"),
    "a cause": (lambda: _chained(KeyError(1), ToldError("x"), explicit=True), "ToldError"),
    "a context": (lambda: _chained(ToldError("x"), KeyError(1), explicit=False), "KeyError"),
    "a quoted traceback": (lambda: _raise(ToldError(QUOTED)), "ToldError"),
    "an empty line first": (lambda: _raise(ToldError("\n\nKeyError: x")), "ToldError"),
    "of a library": (lambda: _raise(redis.ConnectionError("x")), "ConnectionError"),
    "recursion": (lambda: _nested(900), "ToldError"),
    "local": (_local, "LocalError"),
    "syntax": (lambda: compile("x = ", "f", "exec"), "SyntaxError"),
    "a group": (
        lambda: _raise(ExceptionGroup("g", [ToldError("x"), ExceptionGroup("h", [OSError(1)])])),
        "ExceptionGroup",
    ),
    "a retry": (
        lambda: _chained(
            ToldError("busy_17"), celery.exceptions.Retry("x", ToldError("busy_17")), explicit=False
        ),
        "ToldError",
    ),
}


def _formatted(fail: Callable[[], object]) -> tuple[BaseException, str]:
    try:
        fail()
    except BaseException as error:  # noqa: BLE001 -- whatever it is
        return error, "".join(traceback.format_exception(error))
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(("fail", "name"), RAISED.values(), ids=RAISED)
def test_the_class_of_what_was_raised(fail: Callable[[], object], name: str) -> None:
    """Not that of its repr, of a note, of a cause, or of what its message quotes."""
    error, text = _formatted(fail)
    assert traceback_class.raised_class(text) == name
    assert task_exceptions.Classifier().classify(repr(error), text)[0] == name


def test_one_class_for_a_thousand_messages() -> None:
    """A repr that is the message gives no label for each message."""
    classifier = task_exceptions.Classifier()
    found = set()
    for number in range(1000):
        error, text = _formatted(lambda number=number: _raise(ToldError(f"user_{number}")))  # type: ignore[misc]
        found.add(classifier.classify(repr(error), text))
    assert found == {("ToldError", "code")}


@pytest.mark.parametrize("text", ["user_9addb0", "acme.billing:declined", "declined", "no way"])
def test_without_a_traceback_a_message_is_no_class(text: str) -> None:
    """What may be any text is unknown."""
    assert task_exceptions.Classifier().classify(text, None)[0] == labels.UNKNOWN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        traceback_class.HEADER,
        traceback_class.HEADER + "  File",
        traceback_class.HEADER + "not a class at all",
        traceback_class.HEADER + "1Error: x",
        "x" + traceback_class.HEADER + "KeyError: x",
        traceback_class.HEADER + "  line\n" * 5000 + "KeyError: x",
        traceback_class.HEADER + "E" * 1_000_000,
        "  + Exception Group Traceback (most recent call last):\n",
        "\nThe above exception was the direct cause of the following exception:\n\n" * 1000,
    ],
    ids=lambda text: repr(text)[:40],
)
def test_what_names_no_class(text: str) -> None:
    """Then the repr is all there is."""
    assert traceback_class.raised_class(text) in {None, "E" * traceback_class._LONGEST}  # noqa: SLF001
    assert task_exceptions.Classifier().classify("ValueError('x')", text)[0] == "ValueError"


@hypothesis.given(st.text(), st.integers(0, 3))
def test_any_text(text: str, headers: int) -> None:
    """Never an error, and never what could not be a class."""
    found = traceback_class.raised_class(traceback_class.HEADER * headers + text)
    assert found is None or found.isidentifier()
