"""Values are worded for people and escaped for browsers."""

from __future__ import annotations

import pytest

from celery_sentinel.web.pages import html as html_text


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-1.0, "0 ms"),
        (0.00001, "0.1 ms"),
        (0.00042, "0.4 ms"),
        (0.0351, "35 ms"),
        (0.9999, "999 ms"),
        (1.25, "1.2 s"),
        (59.99, "59.9 s"),
        (60, "1 min"),
        (135, "2 min 15 s"),
        (3 * 3600 + 5 * 60 + 59, "3 h 5 min"),
        (3600, "1 h"),
        (4 * 86400 + 3 * 3600, "4 d 3 h"),
        (2000 * 86400, "2,000 d"),
        (1e300, "over 10,000 d"),
        (None, html_text.UNKNOWN),
        (float("nan"), html_text.UNKNOWN),
        (float("inf"), html_text.UNKNOWN),
    ],
)
def test_duration(seconds: float | None, expected: str) -> None:
    """A duration has the two units that matter and is never rounded up."""
    assert html_text.duration(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "just now"), (1.9, "1 s ago"), (59.9, "59 s ago"), (200, "3 min 20 s ago")],
)
def test_ago(seconds: float, expected: str) -> None:
    """What happened lately is told to the whole second."""
    assert html_text.ago(seconds) == expected


def test_moment() -> None:
    """A point in time is told in UTC and says so."""
    assert html_text.moment(1_700_000_000) == "2023-11-14 22:13:20 UTC"


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (1234567, "1,234,567"), (None, html_text.UNKNOWN)]
)
def test_number(value: int | None, expected: str) -> None:
    """Counts have thousands separators; an unknown one is no zero."""
    assert html_text.number(value) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (1, 4, "25.0 %"),
        (0, 4, "0.0 %"),
        (1, 1_000_000, "&lt; 0.1 %"),
        (3, 3, "100.0 %"),
        (0, 0, html_text.UNKNOWN),
    ],
)
def test_percent(part: int, whole: int, expected: str) -> None:
    """A ratio has one digit; few of many is not nothing, and none of none is not known."""
    assert html_text.percent(part, whole) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<script>", "&lt;script&gt;"),
        ("\"'&", "&quot;&#x27;&amp;"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\nb\x00", r"a\u000ab\u0000"),
        ("\ud800", r"\ud800"),
        ("\U000e0001", r"\U000e0001"),
        ("שלום", "שלום"),
    ],
)
def test_text(value: str, expected: str) -> None:
    """Markup is escaped, and what cannot be seen or turns the line is shown as its code."""
    assert html_text.text(value) == expected


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (3, 8, "3 / 8"),
        (0, 0, "0 / 0"),
        (3, None, "3"),
        (None, 8, f"{html_text.UNKNOWN} / 8"),
        (None, None, html_text.UNKNOWN),
    ],
)
def test_share(part: int | None, whole: int | None, expected: str) -> None:
    """What is not known of a share is a dash, or left away."""
    assert html_text.share(part, whole) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (None, html_text.UNKNOWN),
        ((), ""),
        (("a", "<b>"), "<bdi>a</bdi>, <bdi>&lt;b&gt;</bdi>"),
        (("x" * 33,), f"<bdi>{'x' * 32}\N{HORIZONTAL ELLIPSIS}</bdi>"),
        (
            ("a", "b", "c", "d", "e"),
            '<bdi>a</bdi>, <bdi>b</bdi>, <bdi>c</bdi> <span class="dim">+ 2 more</span>',
        ),
    ],
)
def test_names(values: tuple[str, ...] | None, expected: str) -> None:
    """Of many names the first are shown, and how many more there are."""
    assert html_text.names(values) == expected


def test_name_is_isolated() -> None:
    """Right-to-left letters of a name do not reorder what stands beside it."""
    assert html_text.name("שלום") == "<bdi>שלום</bdi>"
