"""The class of an exception as its traceback names it, which no ``__repr__`` can disguise."""

from __future__ import annotations

import re

HEADER = "Traceback (most recent call last):\n"
_GROUP = "  + Exception Group Traceback (most recent call last):\n"
# What Python writes between two exceptions of a chain; the last one is the one that was raised.
_CHAINS = (
    "\nDuring handling of the above exception, another exception occurred:\n\n",
    "\nThe above exception was the direct cause of the following exception:\n\n",
)
CARRIER = "Retry"
MOST_LINES = 2000  # of frames; Python folds what repeats itself
_LONGEST = 300  # characters of a class with its module
_CLASS = re.compile(r"[^\W\d]\w*(?:\.(?:[^\W\d]\w*|<locals>))*\Z")


def raised_class(traceback: str) -> str | None:
    """Return the class that was raised, without its module; None where the text names none.

    It is named by the first line behind the frames of the last traceback in the chain: below it
    may stand any number of lines of the message, of notes, or of the exceptions of a group. One
    that only carries another, as Celery's Retry does, gives way to that.
    """
    cut, block = max(_last(traceback, chain) for chain in _CHAINS)
    name = _class_of_block(traceback, block)
    return raised_class(traceback[:cut]) if name == CARRIER and block else name


def _class_of_block(traceback: str, block: int) -> str | None:
    start = traceback.find(HEADER, block)
    group = traceback.find(_GROUP, block)
    if group >= 0 and (start < 0 or group <= start):
        return _named(_line_behind_frames(traceback, group + len(_GROUP), "  | "))
    if start < 0 or traceback[start - 1 : start] not in {"", "\n"}:
        return None
    return _named(_line_behind_frames(traceback, start + len(HEADER), ""))


def _last(text: str, separator: str) -> tuple[int, int]:
    """Return begin and end of the last separator, (0, 0) where there is none."""
    found = text.rfind(separator)
    return (0, 0) if found < 0 else (found, found + len(separator))


def _line_behind_frames(text: str, at: int, margin: str) -> str:
    """Return the first line that is not indented below its ``margin``; "" where there is none."""
    width = len(margin)
    for _ in range(MOST_LINES):
        if not text.startswith(margin, at):
            return ""
        first = text[at + width : at + width + 1]
        if first not in {" ", "\t", "\n"}:
            end = text.find("\n", at, at + width + _LONGEST)
            return text[at + width : end if end >= 0 else at + width + _LONGEST]
        at = text.find("\n", at) + 1
        if not at:
            return ""
    return ""


def _named(line: str) -> str | None:
    """Return the class in ``module.Class: message``; the message may be missing."""
    head = line.partition(":")[0].rstrip()
    if not _CLASS.match(head):
        return None
    return head.rpartition(".")[2]
