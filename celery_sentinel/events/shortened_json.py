"""Makes a JSON text that is too large to keep small: long strings are cut, the rest stays."""

from __future__ import annotations

import re

LONGEST = 4096  # bytes of a string that are kept: its beginning and its end
MOST_STRINGS = 50_000  # looked at in one text; a list of 10,000 events of no fields has fewer
_KEPT = LONGEST // 2
_QUOTES = 2
# Possessive, and content with a string that never ends: no input makes it go back and forth.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_WHOLE = re.compile(rb"(?:[^\\]|\\u[0-9a-fA-F]{4}|\\[^u])*+", re.DOTALL)
_CUT = b"..."


def shortened(text: bytes) -> bytes | None:
    """Return the text with each string of more than LONGEST bytes cut in its middle.

    What was valid stays so: no escape and no character is cut in two. None for a text of more
    than MOST_STRINGS strings, whose size is that of its structure.
    """
    parts: list[bytes] = []
    done = 0
    for count, found in enumerate(_STRING.finditer(text)):
        if count >= MOST_STRINGS:
            return None
        start, end = found.span()
        if end - start > LONGEST + _QUOTES:
            parts += (text[done : start + 1], _beginning(text, start + 1), _CUT)
            done = _ending(text, end - _KEPT, end - 1)
    parts.append(text[done:])
    return b"".join(parts)


def _beginning(text: bytes, start: int) -> bytes:
    """Return the first bytes of a string, as far as escapes and characters are whole."""
    whole = _WHOLE.match(text, start, start + _KEPT)
    return whole[0].decode("utf-8", "ignore").encode() if whole else b""


def _ending(text: bytes, start: int, stop: int) -> int:
    """Return where the last bytes of a string begin that are whole, ``stop`` at the latest."""
    while start < stop and (text[start - 1] == ord("\\") or text[start] & 0xC0 == 0x80):  # noqa: PLR2004 -- inside a character of UTF-8
        start += 1
    return start
