"""What a message to Celery's workers asks of them, as its sender and no list of ours says it."""

from __future__ import annotations

import base64
import json
from typing import Any


def in_body(body: bytes) -> str:
    """Return the method that a remote control message calls, or what the message is instead."""
    return _method(_read(body))


def in_envelope(message: bytes) -> str:
    """Return the same of a message as kombu publishes it on Redis, its body in base64."""
    envelope = _read(message)
    body = envelope.get("body") if isinstance(envelope, dict) else None
    return _method(_read(base64.b64decode(body))) if isinstance(body, str) else "(no message)"


def _read(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _method(message: Any) -> str:
    method = message.get("method") if isinstance(message, dict) else None
    return method if isinstance(method, str) else "(no question)"
