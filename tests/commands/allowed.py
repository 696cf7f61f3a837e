"""The list in docs/commands.md, so that what is recorded is held against what people read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from celery_sentinel.brokers.redis import queues as redis_queues

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
_GAP = "\0"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SCRIPTS = [redis_queues._TAIL_SCRIPT, redis_queues._OLDEST_SCRIPT]  # noqa: SLF001 -- as they are sent
# What stands in pointed brackets, as the page explains it; a word has no gap in it.
_WORDS = {
    "name": r"[^\0]*",
    "queue": r"[^\0]+",
    "number": r"\d+",
    "uuid": UUID.pattern,
    "id": r"[\w.-]+",
    "secret": r"[^\0]+",
    "key of queues": r"_kombu\.binding\.[^\0]+",
    "script": "|".join(re.escape(script) for script in _SCRIPTS),
    "own list": rf"celery-sentinel\.{UUID.pattern}\.reply\.celery\.pidbox",
    "own binding": rf"_kombu\.binding\.celery-sentinel\.{UUID.pattern}\.reply\.celery\.pidbox",
    "own member": rf"(celery-sentinel\.{UUID.pattern}\.reply\.celery\.pidbox)\x06\x16\x06\x16\1",
    "empty": "",
    "question": "stats|active_queues|active|reserved|scheduled|registered|enable_events|ping",
}
_ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)
_PLACE = re.compile(r"<([a-z ]+)>")
_MORE = "..."


class AllowList:
    """The lines of one section of the page, such as ``Redis``; ``lines`` in their order."""

    def __init__(self, section: str) -> None:
        text = PAGE.read_text(encoding="utf-8")
        for part in text.split("\n## "):
            if part.startswith(f"{section}\n"):
                self.lines = _ROW.findall(part)
                break
        else:
            raise ValueError(f"{PAGE.name} has no section {section!r}")
        self._patterns = [(line, _pattern(line)) for line in self.lines]

    def line_of(self, words: Sequence[str]) -> str | None:
        """Return the line that allows these words, None if there is none."""
        said = _GAP.join(words)
        return next((line for line, pattern in self._patterns if pattern.fullmatch(said)), None)


def _pattern(line: str) -> re.Pattern[str]:
    """Compile a line: words as they are, ``<kind>`` for one of a kind, and ``...`` for more."""
    parts = []
    # A kind may have spaces in it; outside of brackets they part words.
    for word in re.sub(r"<[^>]*>", lambda kind: kind.group().replace(" ", _GAP), line).split(" "):
        more = word.endswith(_MORE)
        pattern = _word(word.removesuffix(_MORE).replace(_GAP, " "))
        parts.append(f"{pattern}(?:{_GAP}{pattern})*" if more else pattern)
    return re.compile(_GAP.join(parts), re.DOTALL)


def _word(word: str) -> str:
    pattern, at = "", 0
    for place in _PLACE.finditer(word):
        pattern += re.escape(word[at : place.start()]) + f"(?:{_WORDS[place.group(1)]})"
        at = place.end()
    return pattern + re.escape(word[at:])
