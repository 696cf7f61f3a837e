"""What the daemon says of its own health: whether its threads turn, whether it hears the fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel import status, web
from celery_sentinel.telemetry import polls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from celery_sentinel.fleet import model
    from celery_sentinel.telemetry import subscription

STUCK = 60.0  # seconds without a turn of its loop after which a thread is not healthy
QUIET = 15.0  # seconds without any event, with workers known, after which we are not ready


def of_threads(beats: Iterable[tuple[str, float]], now: float) -> web.Health:
    """Tell whether each loop has turned lately; ``beats`` are (name, monotonic time)."""
    reasons = [
        f"the {name} thread has not turned for {now - beat:.0f} s"
        for name, beat in beats
        if now - beat > STUCK
    ]
    return web.Health(not reasons, tuple(reasons))


def of_stream(
    fleet: model.Fleet, connection: subscription.Subscription, *, started: float, now: float
) -> web.Health:
    """Tell whether we are connected, and hear the workers where there are any.

    ``started`` and ``now`` are epoch seconds.
    """
    if not connection.up:
        why = connection.last_error or "not connected yet"
        return web.Health(ok=False, reasons=(f"broker {connection.url}: {why}",))
    with fleet.lock.reading():
        beating = [worker for worker in fleet.workers if worker.heartbeat_at]
        # One that its work may have silenced is not expected to be heard.
        patience = [worker.patience for worker in beating if not worker.may_be_working]
        unusable = [
            one
            for one in polls.troubles(connection, fleet.polls, fleet.backlog.condition)
            if one.reason in polls.UNUSABLE
        ]
        last = fleet.last_event_at
    if unusable:
        reasons = tuple(f"broker {connection.url}: {status.sentence(one)}" for one in unusable)
        return web.Health(ok=False, reasons=reasons)
    # An event of before the start says nothing of the time since.
    silence = None if last is None else now - max(last, started)
    if patience and silence is not None and silence > max(QUIET, *patience):
        reason = f"workers are known, but no event has come for {silence:.0f} s"
        return web.Health(ok=False, reasons=(reason,))
    return web.Health(ok=True)


def in_words(ready: web.Health, *, reloaded: bool) -> str:
    """Return one line for a supervisor's list: what ``/-/ready`` says, and of the last reload."""
    line = "ready" if ready.ok else f"not ready: {'; '.join(ready.reasons)}"
    return line if reloaded else f"{line} (the last reload failed; see the log)"
