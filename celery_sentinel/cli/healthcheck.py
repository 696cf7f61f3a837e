"""Asks a running daemon whether it is healthy, for containers without a shell or curl."""

from __future__ import annotations

import http.client
import ssl
from urllib.parse import SplitResult, urlsplit

from celery_sentinel import errors, redaction

SECONDS = 3.0
_LONGEST = 1000  # bytes of an answer


def ask(url: str) -> str:
    """Return the answer of a healthy daemon at ``url``.

    Raise ``SentinelError`` for any other answer and for three seconds of silence, ``ConfigError``
    for what is no URL of HTTP. No proxy is used and no redirection followed. A certificate is not
    checked: the question goes to our own machine and carries no secret.
    """
    shown = redaction.redact_url(url)
    asked = _split(url)
    if asked is None:
        raise errors.ConfigError(
            f"healthcheck: found {shown!r}; allowed: a URL without user and password, such as "
            "http://127.0.0.1:9808/-/healthy"
        )
    try:
        status, said = _get(asked)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise errors.SentinelError(
            f"{shown} did not answer: {type(error).__name__}: {error}"
        ) from None
    if status != http.client.OK:
        raise errors.SentinelError(f"{shown} answered {status}: {said}")
    return said


def _split(url: str) -> SplitResult | None:
    """Return the parts of a URL that can be asked, else None."""
    try:
        parts = urlsplit(url)
        usable = parts.port is None or parts.port > 0
    except ValueError:
        return None
    if not usable or parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    return None if "@" in parts.netloc else parts


def _get(parts: SplitResult) -> tuple[int, str]:
    connection = _connection(parts)
    try:
        connection.request("GET", f"{parts.path or '/'}{'?' * bool(parts.query)}{parts.query}")
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST).decode(errors="replace").strip()
    finally:
        connection.close()


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "http":
        return http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
    unchecked = ssl.create_default_context()
    unchecked.check_hostname = False
    unchecked.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=unchecked)
