"""Draws the page a person on call opens first: what is up, what fails and what is not known."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import re
import string
from collections import Counter
from importlib import resources
from typing import TYPE_CHECKING
from urllib import parse

from celery_sentinel.web import condition, tables, verdicts, wording

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel import status as status_document


@dataclasses.dataclass(frozen=True, slots=True)
class Links:
    """The paths the page points to, each beginning with a slash."""

    metrics: str
    status: str
    healthy: str
    ready: str


def render(told: status_document.Status, links: Links) -> bytes:
    """Return the page in UTF-8."""
    page = _template().substitute(
        title=_title(told),
        version=wording.text(told.version),
        ready=wording.pill("ready", "good") if told.ready else wording.pill("not ready", "bad"),
        broker=_broker(told),
        links=_links(links),
        notes=_notes(told.notes),
        figures=_figures(told),
        workers=tables.workers(told.workers, broker_up=told.broker.up),
        queues=tables.queues(told.queues),
        busiest=tables.busiest(told.busiest),
        failing=tables.failing(told.failing),
        started=wording.moment(told.started),
        uptime=wording.duration(told.uptime_seconds),
    )
    return page.encode("utf-8")


@functools.cache
def content_security_policy() -> str:
    """Return the policy under which the page's own style is all that a browser may apply."""
    style = re.search(r"<style>(.*?)</style>", _template().template, re.DOTALL)
    assert style is not None, "landing.html has one <style>"  # noqa: S101 - a file of ours
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


@functools.cache
def _template() -> string.Template:
    source = resources.files("celery_sentinel.web").joinpath("landing.html")
    return string.Template(source.read_text(encoding="utf-8"))


def _title(told: status_document.Status) -> wording.Html:
    up = sum(worker.state == "up" for worker in told.workers)
    broker = "up" if told.broker.up else "DOWN"
    alarming = _alarming_queues(told)
    queues = f", {wording.counted(alarming, 'queue')} in trouble" if alarming else ""
    return wording.Html(
        f"celery-sentinel: broker {broker}, {up}/{len(told.workers)} workers up{queues}"
    )


def _alarming_queues(told: status_document.Status) -> int:
    judged = map(verdicts.of_queue, told.queues)
    return sum(verdict is not None and verdict.alarming for verdict in judged)


def _broker(told: status_document.Status) -> wording.Html:
    broker = told.broker
    state = wording.pill("up", "good") if broker.up else wording.pill("down", "bad")
    if broker.up and broker.condition is not None and broker.condition.writable is False:
        state = wording.pill("takes no messages", "bad")
    parts = [f"Broker {state} <code>{wording.name(broker.url)}</code>"]
    if broker.since is not None:
        elapsed = max(told.started + told.uptime_seconds - broker.since, 0.0)
        moment = wording.moment(broker.since)
        parts.append(f'<span class="dim">for {wording.duration(elapsed)}, since {moment}</span>')
    if broker.up and broker.round_trip_seconds is not None:
        answer = wording.duration(broker.round_trip_seconds)
        parts.append(f'<span class="dim">&middot; answers in {answer}</span>')
    if broker.last_error is not None:
        over = broker.up and not broker.troubles
        label, tone = ("Last error", "dim") if over else ("Error", "error")
        reason = wording.text(broker.last_error)
        parts.append(f'<span class="detail {tone}">{label}: {reason}</span>')
    if broker.condition is not None:
        parts.append(condition.line(broker.condition))
    if told.result_backend is not None:
        parts.append(_result_backend(told.result_backend))
    if told.state is not None:
        parts.append(_state(told.state))
    return wording.Html(" ".join(parts))


def _result_backend(backend: status_document.ResultBackendStatus) -> wording.Html:
    states = {True: ("up", "good"), False: ("down", "bad"), None: ("not asked yet", "calm")}
    pill = wording.pill(*states[backend.up])
    kind = wording.name(backend.transport)
    return wording.Html(f'<span class="detail">Result backend {pill} <code>{kind}</code></span>')


def _state(state: status_document.StateStatus) -> wording.Html:
    """Return whether the state file is written, and what came of it at the start."""
    age, size = state.snapshot_age_seconds, state.snapshot_bytes
    if state.last_error is not None:
        pill, detail = wording.pill("not saved", "bad"), wording.text(state.last_error)
    elif age is None or size is None:
        pill, detail = wording.pill("not saved yet", "calm"), wording.Html("")
    else:
        pill, detail = (
            wording.pill("saved", "good"),
            wording.Html(f"{wording.ago(age)}, {size:,} B"),
        )
    start = "restored at the start"
    if not state.restored:
        start = f"not restored at the start: {state.why_not}"
    failed = f"; {wording.counted(state.failures, 'failure')}" if state.failures else ""
    return wording.Html(
        f'<span class="detail">State file {pill} {detail} '
        f'<span class="dim">{wording.text(start)}{failed}</span></span>'
    )


def _links(links: Links) -> wording.Html:
    labels = (
        (links.metrics, "Metrics"),
        (links.status, "Status as JSON"),
        (links.healthy, "Healthy"),
        (links.ready, "Ready"),
    )
    # Relative, so that they hold behind a proxy that serves us under a prefix.
    return wording.Html(
        " ".join(
            f'<a href="./{wording.text(parse.quote(path[1:]))}">{wording.text(label)}</a>'
            for path, label in labels
        )
    )


def _notes(notes: Sequence[str]) -> wording.Html:
    if not notes:
        return wording.Html("")
    items = "".join(f"<li>{wording.text(note)}</li>" for note in notes)
    return wording.Html(
        f'<section class="notes"><h2>Why something may be missing</h2><ul>{items}</ul></section>'
    )


def _figures(told: status_document.Status) -> wording.Html:
    return wording.Html(
        _waiting(told)
        + _unacked(told.broker)
        + _workers(told.workers)
        + _events(told.events)
        + _rejected(told.events)
        + _gaps(told.broker)
    )


def _waiting(told: status_document.Status) -> wording.Html:
    work = (queue for queue in told.queues if queue.role != verdicts.DEAD_LETTERS)
    lengths = [queue.length for queue in work if queue.length is not None]
    alarming = _alarming_queues(told)
    detail = f"in {wording.counted(len(lengths), 'queue')}" if lengths else "no queue polled yet"
    if alarming:
        detail = f"{wording.counted(alarming, 'queue')} in trouble"
    if told.broker.delayed:
        detail += f", {told.broker.delayed:,} delayed"
    total = sum(lengths) if lengths else None
    return _figure("Messages waiting", total, wording.Html(detail), alarming=alarming > 0)


def _unacked(broker: status_document.BrokerStatus) -> wording.Html:
    if broker.unacked is None:
        return wording.Html("")
    return _figure("Unacked", broker.unacked, wording.Html("taken by workers, not yet done"))


def _workers(workers: Sequence[status_document.WorkerStatus]) -> wording.Html:
    judged = [verdicts.of_worker(worker) for worker in workers]
    troubles = Counter(one.label for one in judged if one.severity < verdicts.LEAST_SEVERE)
    detail = ", ".join(f"{count:,} {label}" for label, count in troubles.items())
    up = sum(worker.state == "up" for worker in workers)
    alarming = any(one.alarming for one in judged)
    return _figure("Workers up", up, wording.text(detail or "none lost"), alarming=alarming)


def _events(events: status_document.EventsStatus) -> wording.Html:
    seen = events.last_event_seconds
    last = "none yet" if seen is None else f"last one {wording.ago(seen)}"
    return _figure("Events", events.total, wording.Html(last))


def _rejected(events: status_document.EventsStatus) -> wording.Html:
    rejected = {reason: count for reason, count in events.rejected.items() if count}
    if not rejected:
        return wording.Html("")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
    return _figure("Events rejected", sum(rejected.values()), wording.text(reasons), alarming=True)


def _gaps(broker: status_document.BrokerStatus) -> wording.Html:
    unseen = f"{wording.duration(broker.gap_seconds)} unseen" if broker.gaps else "nothing unseen"
    return _figure(
        "Gaps in the stream", broker.gaps, wording.Html(unseen), alarming=broker.gaps > 0
    )


def _figure(
    label: str, value: int | None, detail: wording.Html, *, alarming: bool = False
) -> wording.Html:
    tone = ' class="alarming"' if alarming else ""
    return wording.Html(
        f"<div{tone}><dt>{label}</dt><dd>{wording.number(value)}</dd><dd>{detail}</dd></div>"
    )
