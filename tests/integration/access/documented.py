"""The commands of docs/broker-access.md, so that the tests run what operators paste."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_PAGE = Path(__file__).parents[3] / "docs" / "broker-access.md"
PASSWORD = "sesame"  # noqa: S105 -- of users that live for one test
USER = "celery-sentinel"


def blocks(language: str) -> list[str]:
    """Return the fenced blocks in ``language``, with a password in them."""
    text = _PAGE.read_text(encoding="utf-8").replace("PASSWORD", PASSWORD)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def acl(language: str = "redis") -> list[str]:
    """Return the words of the page's ACL SETUSER; brackets and what is in them are one word."""
    (block,) = blocks(language)
    return re.findall(r"\([^)]*\)|\S+", block)


def patterns() -> tuple[str, str, str]:
    """Return what the page lets a user of RabbitMQ configure, write and read."""
    words = shlex.split(blocks("sh")[0].replace("\\\n", " "))
    configure, write, read = words[words.index("set_permissions") + 4 :]
    return configure, write, read
