"""The runbooks as data: sections, and the fenced blocks that people run."""

from __future__ import annotations

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).parents[2] / "docs" / "runbooks"
INDEX = FOLDER / "README.md"
PAGES = sorted(set(FOLDER.glob("*.md")) - {INDEX})
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Fix", "Silence"]

# What the words after the language of a fence mean; docs/runbooks/README.md explains them.
REDIS = "redis"
RABBITMQ = "rabbitmq"
CHANGES = "changes"
HOST = "host"
MARKS = {REDIS, RABBITMQ, CHANGES, HOST}

_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True, order=True)
class Block:
    """One fenced block: its text, its language, the marks after the language, its page."""

    page: str
    language: str
    marks: frozenset[str]
    text: str


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages on all pages, in order."""
    found = []
    for page in [*PAGES, INDEX]:
        for language, marks, text in _FENCE.findall(page.read_text()):
            if language in languages:
                found.append(Block(page.stem, language, frozenset(marks.split()), text))
    return found


def commands(*, changes: bool, broker: str) -> dict[str, Block]:
    """Return the shell commands to try on ``broker`` by their text, each once.

    Where commands change something the whole block is one, since its lines belong together.
    Those without a broker's mark are tried on Redis.
    """
    chosen: dict[str, Block] = {}
    for block in blocks("sh"):
        place = RABBITMQ if RABBITMQ in block.marks else REDIS
        if HOST in block.marks or place != broker or (CHANGES in block.marks) != changes:
            continue
        for text in [block.text] if changes else split(block.text):
            chosen.setdefault(text, block)
    return chosen


def split(text: str) -> list[str]:
    """Divide a block into its commands: a line each, and those up to a closing quote."""
    found: list[str] = []
    for line in text.splitlines():
        if found and found[-1].count('"') % 2:
            found[-1] += f"{line}\n"
        elif line and not line.startswith("#"):
            found.append(f"{line}\n")
    return found
