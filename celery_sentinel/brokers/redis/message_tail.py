"""Reads id and time of a task from the end of a message, without the rest of it."""

from __future__ import annotations

import re

from celery_sentinel import poll_results

# kombu writes body, content type, headers and properties in this order, so the end of a message
# holds correlation_id, which for a task is its id, and, before it, the headers.
_CORRELATION = re.compile(rb'"correlation_id": ?"([^"\\]{1,255})"')
# The Celery integration of sentry-sdk notes when a task was sent, epoch seconds, as a string.
_ENQUEUED = re.compile(rb'"sentry-task-enqueued-time": ?"?(\d{9,11}(?:\.\d{1,9})?)"?')


def tail(end: bytes) -> poll_results.Tail:
    """Return what the last bytes of a message in kombu's envelope tell of it."""
    ids = _CORRELATION.findall(end)
    times = _ENQUEUED.findall(end)
    return poll_results.Tail(
        task_id=ids[-1].decode("utf-8", "replace") if ids else None,
        enqueued_at=float(times[-1]) if times else None,
    )
