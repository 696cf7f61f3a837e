"""Reads which tasks a worker holds back by a rate limit, as it lists them with what they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TASKS = 10_000  # of one worker
_LISTED = re.compile(r"(?P<name>.*?) \[(?:.* )?rate_limit=(?P<limit>[^ \]]*)[^\]]*\]", re.DOTALL)
_NONE = re.compile(r"(?:None|-?0*\.?0*)?(?:/[smh])?")


def read(listed: Sequence[str] | None) -> dict[str, bool] | None:
    """Return for each task name whether it has a limit, None if nothing was listed.

    Celery lists ``shop.charge [rate_limit=1/h]``, and the bare name of a task without one. A limit
    of 0 is none.
    """
    if listed is None:
        return None
    found = {}
    for text in listed[:MOST_TASKS]:
        told = _LISTED.fullmatch(text)
        limited = told is not None and not _NONE.fullmatch(told["limit"])
        found[told["name"] if told else text.partition(" [")[0]] = limited
    return found
