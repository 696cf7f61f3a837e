"""An exception has one class and one category, whatever its repr looks like."""

from __future__ import annotations

import io
import json
import subprocess
import urllib.error

import celery.exceptions
import hypothesis
import kombu.exceptions
import pytest
import redis
from billiard import exceptions as billiard_exceptions
from celery.utils import serialization
from hypothesis import strategies as st
from kombu.utils import encoding

from celery_sentinel.fleet import labels, task_exceptions

CODE = task_exceptions.DEFAULT_CATEGORY


class _Ошибка(Exception):  # noqa: PLC2401, N818 -- class names are not always English
    pass


RAISED: list[tuple[BaseException | None, str, str]] = [
    (ValueError("x"), "ValueError", CODE),
    (KeyError(), "KeyError", CODE),
    (KeyError("a:b.c(d)"), "KeyError", CODE),
    (Exception("(a) b: c"), "Exception", CODE),
    (ExceptionGroup("g", [OSError(1)]), "ExceptionGroup", CODE),
    (json.JSONDecodeError("x", "y", 0), "JSONDecodeError", CODE),
    (subprocess.CalledProcessError(1, "ls"), "CalledProcessError", CODE),
    (_Ошибка("x"), "_Ошибка", CODE),
    (OSError(28, "No space left"), "OSError", "resource"),
    (MemoryError(), "MemoryError", "resource"),
    (ConnectionRefusedError(111, "refused"), "ConnectionRefusedError", "network"),
    (TimeoutError("x"), "TimeoutError", "network"),
    (urllib.error.URLError(OSError(1)), "URLError", CODE),
    (
        urllib.error.HTTPError("http://x", 404, "Not (really) found", {}, io.BytesIO()),
        "HTTPError",
        "upstream",
    ),
    (redis.ConnectionError("x"), "ConnectionError", "network"),
    (redis.TimeoutError("x"), "TimeoutError", "network"),
    (redis.ResponseError("(x)"), "ResponseError", CODE),
    (kombu.exceptions.OperationalError("x"), "OperationalError", "database"),
    (celery.exceptions.Reject("no (way)", requeue=False), "Reject", CODE),
    (celery.exceptions.Reject("a:b", requeue=True), "Reject", CODE),
    (celery.exceptions.Ignore(), "Ignore", CODE),
    (celery.exceptions.NotRegistered("a.b"), "NotRegistered", "unregistered"),
    (celery.exceptions.MaxRetriesExceededError("x"), "MaxRetriesExceededError", CODE),
    (billiard_exceptions.WorkerLostError("x"), "WorkerLostError", "resource"),
    (billiard_exceptions.Terminated(15), "Terminated", "resource"),
    (billiard_exceptions.TimeLimitExceeded(3.0), "TimeLimitExceeded", "timeout"),
    (billiard_exceptions.SoftTimeLimitExceeded(), "SoftTimeLimitExceeded", "timeout"),
    (serialization.create_exception_cls("Generated", "m")("x"), "Generated", CODE),
    (
        serialization.UnpickleableExceptionWrapper("m", "LockTimeout", (1,), "LockTimeout(1)"),
        "LockTimeout",
        "network",
    ),
    (None, "Retry", CODE),  # self.retry() without an exception
]


@pytest.mark.parametrize(("raised", "name", "category"), RAISED, ids=lambda value: repr(value)[:40])
def test_what_celery_writes_for_an_exception(
    raised: BaseException | None, name: str, category: str
) -> None:
    """Class and category of real exceptions, by the text Celery makes of them."""
    text = encoding.safe_repr(raised)
    assert task_exceptions.Classifier().classify(text) == (name, category)


WRITTEN = [
    ("NotRegistered('shop.gone')", "NotRegistered"),
    ("network:ConnectionError", "ConnectionError"),
    ("network:ConnectionError('x')", "ConnectionError"),
    ("server:ResponseError", "ResponseError"),
    ("reject requeue=False: no", "Reject"),
    ("reject requeue=True: a.b:c(d)", "Reject"),
    ("kombu.exceptions.OperationalError('x')", "OperationalError"),
    ("<HTTPError 404: 'Not Found'>", "HTTPError"),
    ("<_InactiveRpcError of RPC that terminated with:\n\tstatus = X>", "_InactiveRpcError"),
    ("ValueError", "ValueError"),
    (" ValueError ('x')", "ValueError"),
    ("1 validation error for Order\nid\n  Input should be 1 (type=x)", labels.UNKNOWN),
    ("something went wrong", labels.UNKNOWN),
    ("(1, 2)", labels.UNKNOWN),
    ("('x')", labels.UNKNOWN),
    ("", labels.UNKNOWN),
    (" ", labels.UNKNOWN),
    ("<>", labels.UNKNOWN),
    ("<lambda>()", labels.UNKNOWN),
    ("1Error()", labels.UNKNOWN),
    ("Error-2()", labels.UNKNOWN),
    ("Er\x00ror()", labels.UNKNOWN),
    ("Er\udcffror()", labels.UNKNOWN),
    ('Er"}\nror()', labels.UNKNOWN),
    ("E" * 120 + "()", "E" * 120),
    ("E" * 121 + "()", labels.UNKNOWN),
    ("E" * 5_000_000, labels.UNKNOWN),
]


@pytest.mark.parametrize(("text", "name"), WRITTEN, ids=lambda value: repr(value)[:40])
def test_odd_texts(text: str, name: str) -> None:
    """What no repr should look like, but some do; what cannot be read is unknown."""
    assert task_exceptions.class_name(text) == name
    assert task_exceptions.Classifier().classify(text)[0] == name


def test_no_exception_at_all() -> None:
    """An event without an exception is unknown, not a class called None."""
    assert task_exceptions.Classifier().classify(None) == (labels.UNKNOWN, CODE)


@pytest.mark.parametrize(
    ("text", "traceback", "name"),
    [
        ("ExceptionWithTraceback()", "Trace\nWorkerLostError: it died\n", "WorkerLostError"),
        (
            "ExceptionWithTraceback()",
            'x\nbilliard.exceptions.WorkerLostError: a\n"""',
            "WorkerLostError",
        ),
        ("ExceptionWithTraceback()", "a.b.WorkerLostError: it: died", "WorkerLostError"),
        ("ExceptionWithTraceback()", "MemoryError", "MemoryError"),
        ("ExceptionWithTraceback()", "no class here at all", None),
        ("ExceptionWithTraceback()", "", None),
        ("ExceptionWithTraceback()", None, None),
        ("UnpickleableExceptionWrapper('m', 'Mine', (), 'Mine()')", None, "Mine"),
        ("UnpickleableExceptionWrapper()", None, "UnpickleableExceptionWrapper"),
        ("ValueError()", "KeyError: x", "ValueError"),
    ],
)
def test_wrappers_are_taken_off(text: str, traceback: str | None, name: str | None) -> None:
    """Only a wrapper makes the traceback count; if that does not help the wrapper stands."""
    found, _ = task_exceptions.Classifier().classify(text, traceback)
    assert found == (name or "ExceptionWithTraceback")


@hypothesis.given(st.none() | st.text(st.characters()), st.none() | st.text(st.characters()))
def test_any_text_has_a_class_that_can_be_a_label(text: str | None, traceback: str | None) -> None:
    """Whatever stands in an event, the class is a plain name of bounded length."""
    name, category = task_exceptions.Classifier().classify(text, traceback)
    assert name.isidentifier()
    assert len(name) <= 120
    assert labels.clean(name) == name
    assert category in {category for _, category in task_exceptions.CATEGORIES} | {CODE}


@hypothesis.given(st.lists(st.text(st.sampled_from("aE.:(<> '"), max_size=8), max_size=20))
def test_remembering_changes_nothing(texts: list[str]) -> None:
    """What was classified before has no influence on what comes after."""
    remembering = task_exceptions.Classifier()
    assert [remembering.classify(text) for text in texts] == [
        task_exceptions.Classifier().classify(text) for text in texts
    ]


def test_long_texts_with_one_beginning() -> None:
    """Two texts that only differ far behind are classified alike, whichever comes first."""
    texts = ["x " * 150 + "a:ValueError", "x " * 150 + "a:KeyError"]
    one, other = task_exceptions.Classifier(), task_exceptions.Classifier()
    assert [one.classify(text) for text in texts] == [
        other.classify(text) for text in reversed(texts)
    ][::-1]


def test_the_memory_is_bounded() -> None:
    """An unending flow of generated names and texts costs time, not memory."""
    classifier = task_exceptions.Classifier()
    for number in range(3 * task_exceptions._CACHE_SIZE):  # noqa: SLF001 -- the bound under test
        classifier.classify(f"Generated{number}('x')")
        classifier.classify(f"E{number}" * 100 + "('x')")
    remembered = classifier._cache  # noqa: SLF001
    assert 0 < len(remembered) <= task_exceptions._CACHE_SIZE  # noqa: SLF001
    assert max(map(len, remembered)) <= labels.MAX_LENGTH


CATEGORIES = [
    ("OutOfMemoryError", "resource"),
    ("ResourceExhausted", "resource"),
    ("BlockingIOError", "resource"),
    ("DeadlockDetected", "database"),
    ("InternalError", "database"),
    ("InternalServerError", "upstream"),
    ("PoolTimeout", "database"),
    ("TooManyConnectionsError", "database"),
    ("HTTPStatusError", "upstream"),
    ("RateLimitError", "upstream"),
    ("APIError", "upstream"),
    ("SSLError", "network"),
    ("gaierror", "network"),
    ("ConnectionResetError", "network"),
    ("NewConnectionError", "network"),
    ("ServerDisconnectedError", CODE),
    ("ConnectTimeout", "network"),
    ("ReadTimeoutError", "network"),
    ("RequestTimedOutError", "network"),
    ("IntegrityError", CODE),
    ("AssertionError", CODE),
    ("valueerror", CODE),
    ("sslerror", CODE),
]


@pytest.mark.parametrize(("name", "category"), CATEGORIES)
def test_the_table(name: str, category: str) -> None:
    """Exceptions are filed by what heals them; upper and lower case are told apart."""
    assert task_exceptions.Classifier().classify(f"{name}('x')") == (name, category)


def test_no_entry_of_the_table_is_hidden() -> None:
    """Each pattern of the table decides for at least the plainest name it matches."""
    classifier = task_exceptions.Classifier()
    for pattern, category in task_exceptions.CATEGORIES:
        name = pattern.replace("*", "Zz")
        assert classifier.classify(f"{name}()")[1] == category, pattern


def test_the_first_match_wins() -> None:
    """A site's patterns go before the table, and the first of them before the others."""
    classifier = task_exceptions.Classifier(
        [("Payment*", "billing"), ("*Error", "first"), ("PaymentError", "never")]
    )
    assert classifier.classify("PaymentError()") == ("PaymentError", "billing")
    assert classifier.classify("MemoryError()") == ("MemoryError", "first")
    assert classifier.classify("TimeLimitExceeded(1)") == ("TimeLimitExceeded", "timeout")


def test_a_site_may_file_the_unknown() -> None:
    """A pattern sees the name that is shown, without its module."""
    classifier = task_exceptions.Classifier([("unknown", "mystery"), ("a.b.*", "module")])
    assert classifier.classify("what is this") == (labels.UNKNOWN, "mystery")
    assert classifier.classify("a.b.MyError('x')") == ("MyError", CODE)


@pytest.mark.parametrize(
    ("text", "argument"),
    [
        ("NotRegistered('shop.gone')", "shop.gone"),
        ('NotRegistered("it\'s.gone")', "it's.gone"),
        ("NotRegistered( 'a' , 'b')", "a"),
        ("NotRegistered()", None),
        ("NotRegistered('')", None),
        ("NotRegistered(7)", None),
        ("NotRegistered('open", None),
        ("NotRegistered('" + "x" * 250 + "')", "x" * 250),
        ("NotRegistered('" + "x" * 251 + "')", None),
        ("no call", None),
        ("", None),
    ],
)
def test_the_first_argument(text: str, argument: str | None) -> None:
    """The name of an unregistered task is read from the repr; nothing else is taken for one."""
    assert task_exceptions.first_argument(text) == argument


@hypothesis.given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=250)
)
def test_any_plain_argument(name: str) -> None:
    """A plain name comes out of its repr as it went in."""
    assert task_exceptions.first_argument(f"NotRegistered({name!r})") == name
