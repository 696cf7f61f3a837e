"""Label values are valid, bounded text, and there are only so many of them."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies as st

from celery_sentinel.fleet import labels

ANY_TEXT = st.text(st.characters()) | st.text(st.characters(categories=["Cs", "Cc", "Ll"]))


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("shop.pay", "shop.pay"),
        ("", ""),
        ("ünï \N{SNOWMAN} \N{PILE OF POO}", "ünï \N{SNOWMAN} \N{PILE OF POO}"),
        ('a"b\\c\nd', 'a"b\\c\nd'),
        ("a\x00b", "a\ufffdb"),
        ("\udcff", "\ufffd"),
        ("\ud83d\ude00", "\ufffd\ufffd"),
        ("x" * 250, "x" * 250),
        ("x" * 251, "x" * 249 + "…"),
        ("\x00" * 10**6, "\ufffd" * 249 + "…"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_cleaned_values(value: str, label: str) -> None:
    """Text stays as it is, save for NUL, lone surrogates and what is over 250 characters."""
    assert labels.clean(value) == label


@hypothesis.given(ANY_TEXT | ANY_TEXT.map(lambda text: text * 50))
def test_any_value_becomes_a_valid_label(value: str) -> None:
    """Whatever comes in, what comes out can be written and is short; cleaning twice is once."""
    label = labels.clean(value)
    label.encode("utf-8")
    assert "\x00" not in label
    assert len(label) <= labels.MAX_LENGTH
    assert labels.clean(label) == label


def test_admission_up_to_the_limit() -> None:
    """The first values are admitted, the rest share one label and are counted."""
    names = labels.LabelSet(2)
    assert [names.admit(value) for value in "abcbac"] == [
        "a", "b", labels.OTHER, "b", "a", labels.OTHER,
    ]  # fmt: skip
    assert names.overflow == 2


def test_our_own_labels_take_no_place() -> None:
    """``unknown`` and ``__other__`` are there already and never overflow."""
    names = labels.LabelSet(1)
    for value in (labels.UNKNOWN, labels.OTHER, "a", labels.UNKNOWN, labels.OTHER):
        assert names.admit(value) == value
    assert names.overflow == 0
    assert labels.LabelSet(0).admit("a") == labels.OTHER


def test_values_that_become_the_same() -> None:
    """Values that are the same once they are cleaned take one place."""
    names = labels.LabelSet(2)
    assert {names.admit("a\x00"), names.admit("a\udcff"), names.admit("a\ufffd")} == {"a\ufffd"}
    assert len({names.admit("x" * 300 + str(number)) for number in range(9)}) == 1
    assert names.overflow == 0
    assert names.admit("b") == labels.OTHER


@hypothesis.given(st.lists(ANY_TEXT), st.integers(0, 5))
def test_no_more_labels_than_the_limit(values: list[str], limit: int) -> None:
    """There are never more labels than the limit and our own two, and each admission counts."""
    names = labels.LabelSet(limit)
    given = [names.admit(value) for value in values]
    assert len(set(given) - {labels.UNKNOWN, labels.OTHER}) <= limit
    assert given.count(labels.OTHER) - values.count(labels.OTHER) == names.overflow


def test_given_admitted_values_then_they_are_listed_without_what_stands_for_many() -> None:
    """Each value once, in the order of admission; neither unknown nor __other__."""
    names = labels.LabelSet(2)
    for name in ("b", "unknown", "a", "b", "over the limit"):
        names.admit(name)
    assert list(names) == ["b", "a"]
