"""Keeps secrets out of everything the daemon shows: logs, pages, errors and printed settings."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"
# Shorter secrets are not looked for in texts: one of a letter would turn every text into stars,
# and what is starred would give it away. In URLs they are masked nevertheless, by their position.
SHORTEST = 3

_SECRET_KEY = re.compile(
    r"passw|passphrase|pass$|pwd|secret|token|credential|signature|^sas"
    r"|(?:api|access|account|private|shared|encryption)[._-]?key$",
    re.IGNORECASE,
)
# Brokers for failover are divided by semicolons; a password may hold one as well.
_BETWEEN_URLS = re.compile(r";(?=\s*[A-Za-z][A-Za-z0-9+.-]*://)")
_BETWEEN_PARAMETERS = re.compile(r"([&;#])")
_USERINFO = re.compile(r"(?<=://)([^\s/@]*)@")
# Where a port belongs, something that is none: perhaps a password whose host is missing.
_NO_PORT = re.compile(r"\A(\[[^\]]*\]|[^:\[\]/?#]*):(?![0-9]*(?:[,/?#]|$))([^/?#]*)")


def is_secret_key(key: str) -> bool:
    """Tell whether the value of a setting or query parameter called ``key`` is a secret."""
    return _SECRET_KEY.search(key) is not None


def redact_url(url: str) -> str:
    """Return ``url`` with ``***`` for passwords and for query parameters that look secret.

    Takes several URLs divided by ``;``, and texts that are no valid URL: where it is unclear
    what belongs to a password, more is masked rather than less.
    """
    return ";".join(map(_redact_one, _BETWEEN_URLS.split(url)))


def redact(settings: object) -> object:
    """Return plain data that shows ``settings`` (structs, mappings, lists) without secrets.

    What remembers how it was ``written`` is shown as that.
    """
    settings = getattr(settings, "written", settings)
    if isinstance(settings, msgspec.Struct):
        settings = msgspec.structs.asdict(settings)
    if isinstance(settings, Mapping):
        return {
            key: MASK if _hides(key, value) else redact(value)
            for key, value in settings.items()
            if value is not msgspec.UNSET
        }
    if isinstance(settings, list | tuple):
        return [redact(item) for item in settings]
    if isinstance(settings, str):
        return redact_url(settings) if "://" in settings else settings
    if settings is None or type(settings) in {bool, int, float}:
        return settings
    return str(settings)


class Scrubber:
    """Replaces the secrets it was given, however they are encoded, wherever they turn up.

    Secrets shorter than SHORTEST characters, and those of nothing but stars, are not looked for.
    What stands before an @ in a URL is masked whether it is a known secret or not.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        longest_first = sorted(forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    @classmethod
    def of(cls, settings: object) -> Scrubber:
        """Return a scrubber of all secrets in ``settings`` (structs, mappings, lists, URLs)."""
        return cls(_secrets(settings))

    def scrub(self, text: str) -> str:
        """Return ``text`` with ``***`` for every secret."""
        text = _USERINFO.sub(lambda found: f"{_redact_userinfo(found[1])}@", text)
        if self._pattern is None:
            return text
        # Stars may complete a secret that has stars in it, hence the loop. It ends: each round
        # takes away characters that are no stars.
        while (scrubbed := self._pattern.sub(MASK, text)) != text:
            text = scrubbed
        return text


def _redact_one(url: str) -> str:
    scheme, mark, rest = url.partition("://") if "://" in url else ("", "", url)
    head, question, query = rest.partition("?")
    if "@" in query:  # a password with a raw question mark, or a parameter with an @
        head = head if head.startswith("/") or "@" in head else MASK
        query = MASK
    return f"{scheme}{mark}{_redact_head(head)}{question}{_redact_query(query)}"


def _redact_head(head: str) -> str:
    userinfo, at, host = head.rpartition("@")
    if at:
        return f"{_redact_userinfo(userinfo)}@{host}"
    return _NO_PORT.sub(rf"\1:{MASK}", head)


def _redact_userinfo(userinfo: str) -> str:
    user, colon, _ = userinfo.partition(":")
    return f"{user}:{MASK}" if colon else MASK  # without a colon it may be either


def _redact_query(query: str) -> str:
    return "".join(
        f"{key}={MASK}" if equals and is_secret_key(key) else f"{key}{equals}{value}"
        for key, equals, value in (
            piece.partition("=") for piece in _BETWEEN_PARAMETERS.split(query)
        )
    )


def _hides(key: object, value: object) -> bool:
    secret = isinstance(key, str) and is_secret_key(key)
    return secret and value is not None and not isinstance(value, bool)


def _secrets(settings: object) -> Iterator[str]:
    """Yield every secret in ``settings``, as it is written there."""
    if isinstance(settings, msgspec.Struct):
        settings = msgspec.structs.asdict(settings)
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            yield from _leaves(value) if _hides(key, value) else _secrets(value)
    elif isinstance(settings, list | tuple):
        for item in settings:
            yield from _secrets(item)
    elif isinstance(settings, str):
        yield from _secrets_in_url(settings)


def _leaves(value: object) -> Iterator[str]:
    """Yield every text and number in a value that is secret as a whole."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _secrets_in_url(url: str) -> Iterator[str]:
    """Yield what may be a password in ``url``, by every way of reading it."""
    if "://" not in url:
        return
    for part in {*_BETWEEN_URLS.split(url), *url.split(";")}:
        rest = part.partition("://")[2] if "://" in part else part
        head, _, query = rest.partition("?")
        authority = re.split("[/?#]", rest, maxsplit=1)[0]
        for text in {rest, head, authority}:
            userinfo, at, _ = text.rpartition("@")
            unported = None if at else _NO_PORT.match(text)
            yield unported[2] if unported else userinfo.partition(":")[2]
        for piece in _BETWEEN_PARAMETERS.split(query):
            key, _, value = piece.partition("=")
            if is_secret_key(key):
                yield value


def _forms(secret: str) -> Iterator[str]:
    """Yield the texts as which a secret may turn up: decoded, encoded, escaped, quoted."""
    for text in {secret, urllib.parse.unquote(secret), urllib.parse.unquote_plus(secret)}:
        if len(text) < SHORTEST or set(text) == {"*"}:
            continue
        raw = text.encode("utf-8", "surrogatepass")
        for encoded in (
            urllib.parse.quote(raw, safe=""),
            urllib.parse.quote(raw),
            urllib.parse.quote_plus(raw),
        ):
            yield encoded
            yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), encoded)
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield repr(text)[1:-1]
        yield repr(raw)[2:-1]
