"""Reads what Redis and its relatives answer to INFO, whichever version, fork or host it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 256 * 1024  # of an answer that are read; a real one has some 6 KiB
MOST_FIELDS = 2000
LONGEST_VALUE = 200  # characters
MOST_DATABASES = 10_000
_LARGEST = 2**63  # what Redis itself counts with
_DATABASE = re.compile(r"db(\d{1,9})")
_KEYS = re.compile(r"(?:^|,)keys=(\d{1,19})(?:,|$)")
_PRINTABLE = re.compile(r"[^\x20-\x7e]+")
# How relatives of Redis say which they are; all of them give a redis_version as well.
_PRODUCTS = (("valkey_version", "valkey"), ("dragonfly_version", "dragonfly"))


class Info:
    """The fields of one answer; a field that is missing or makes no sense is None."""

    def __init__(self, answer: Any) -> None:
        self._fields = _fields(answer)

    def text(self, *names: str) -> str | None:
        """Return the first of these fields that is there, in printable ASCII."""
        found = next((self._fields[name] for name in names if name in self._fields), None)
        return found or None

    def count(self, *names: str) -> int | None:
        """Return the first of these fields that is there, as a whole number that is not below 0."""
        found = self.text(*names)
        if found is None or not found.isdecimal() or len(found) > len(str(_LARGEST)):
            return None
        value = int(found)
        return value if value < _LARGEST else None

    def flag(self, *names: str) -> bool | None:
        """Return the first of these fields that is there: 1 is true, 0 is false."""
        return {"1": True, "0": False}.get(self.text(*names) or "")

    @property
    def product(self) -> str:
        """Whose server it is, as far as it says: redis, valkey, keydb, dragonfly."""
        for field, product in _PRODUCTS:
            if field in self._fields:
                return product
        if "mvcc_depth" in self._fields or "keydb" in (self.text("executable") or ""):
            return "keydb"
        return (self.text("server_name") or "redis").lower()

    @property
    def version(self) -> str | None:
        """The version of that product, without which it is not known to answer INFO at all."""
        return self.text("valkey_version", "dragonfly_version", "redis_version")

    def databases(self) -> Mapping[int, int]:
        """Return how many keys each database has; one without keys is not told of."""
        found: dict[int, int] = {}
        for name, value in self._fields.items():
            database, keys = _DATABASE.fullmatch(name), _KEYS.search(value)
            if database and keys and len(found) < MOST_DATABASES:
                found[int(database[1])] = int(keys[1])
        return found


def _fields(answer: Any) -> dict[str, str]:
    if isinstance(answer, str):
        answer = answer.encode("utf-8", "replace")
    if not isinstance(answer, bytes):
        return {}
    found: dict[str, str] = {}
    for line in answer[:MOST_BYTES].decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#") and len(found) < MOST_FIELDS:
            found.setdefault(name.strip(), _PRINTABLE.sub("", value).strip()[:LONGEST_VALUE])
    return found
