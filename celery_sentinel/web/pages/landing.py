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

from celery_sentinel.web.pages import badges, broker_line, html as html_text, tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel.status import schema as status_schema


@dataclasses.dataclass(frozen=True, slots=True)
class Links:
    """The paths the page points to, each beginning with a slash."""

    metrics: str
    status: str
    healthy: str
    ready: str


def render(told: status_schema.Status, links: Links) -> bytes:
    """Return the page in UTF-8."""
    page = _template().substitute(
        title=_title(told),
        version=html_text.text(told.version),
        ready=html_text.pill("ready", "good") if told.ready else html_text.pill("not ready", "bad"),
        broker=_broker(told),
        links=_links(links),
        notes=_notes(told.notes),
        figures=_figures(told),
        workers=tables.workers(told.workers, broker_up=told.broker.up),
        queues=tables.queues(told.queues),
        busiest=tables.busiest(told.busiest),
        failing=tables.failing(told.failing),
        started=html_text.moment(told.started),
        uptime=html_text.duration(told.uptime_seconds),
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
    source = resources.files("celery_sentinel.web.pages").joinpath("landing.html")
    return string.Template(source.read_text(encoding="utf-8"))


def _title(told: status_schema.Status) -> html_text.Html:
    up = sum(worker.state == "up" for worker in told.workers)
    broker = "up" if told.broker.up else "DOWN"
    alarming = _alarming_queues(told)
    queues = f", {html_text.counted(alarming, 'queue')} in trouble" if alarming else ""
    return html_text.Html(
        f"celery-sentinel: broker {broker}, {up}/{len(told.workers)} workers up{queues}"
    )


def _alarming_queues(told: status_schema.Status) -> int:
    judged = map(badges.of_queue, told.queues)
    return sum(verdict is not None and verdict.alarming for verdict in judged)


def _broker(told: status_schema.Status) -> html_text.Html:
    broker = told.broker
    state = html_text.pill("up", "good") if broker.up else html_text.pill("down", "bad")
    if broker.up and broker.condition is not None and broker.condition.writable is False:
        state = html_text.pill("takes no messages", "bad")
    parts = [f"Broker {state} <code>{html_text.name(broker.url)}</code>"]
    if broker.since is not None:
        elapsed = max(told.started + told.uptime_seconds - broker.since, 0.0)
        moment = html_text.moment(broker.since)
        parts.append(f'<span class="dim">for {html_text.duration(elapsed)}, since {moment}</span>')
    if broker.up and broker.round_trip_seconds is not None:
        answer = html_text.duration(broker.round_trip_seconds)
        parts.append(f'<span class="dim">&middot; answers in {answer}</span>')
    if broker.last_error is not None:
        over = broker.up and not broker.troubles
        label, tone = ("Last error", "dim") if over else ("Error", "error")
        reason = html_text.text(broker.last_error)
        parts.append(f'<span class="detail {tone}">{label}: {reason}</span>')
    if broker.condition is not None:
        parts.append(broker_line.line(broker.condition))
    if told.result_backend is not None:
        parts.append(_result_backend(told.result_backend))
    if told.state is not None:
        parts.append(_state(told.state))
    return html_text.Html(" ".join(parts))


def _result_backend(backend: status_schema.ResultBackendStatus) -> html_text.Html:
    states = {True: ("up", "good"), False: ("down", "bad"), None: ("not asked yet", "calm")}
    pill = html_text.pill(*states[backend.up])
    kind = html_text.name(backend.transport)
    return html_text.Html(f'<span class="detail">Result backend {pill} <code>{kind}</code></span>')


def _state(state: status_schema.StateStatus) -> html_text.Html:
    """Return whether the state file is written, and what came of it at the start."""
    age, size = state.snapshot_age_seconds, state.snapshot_bytes
    if state.last_error is not None:
        pill, detail = html_text.pill("not saved", "bad"), html_text.text(state.last_error)
    elif age is None or size is None:
        pill, detail = html_text.pill("not saved yet", "calm"), html_text.Html("")
    else:
        pill, detail = (
            html_text.pill("saved", "good"),
            html_text.Html(f"{html_text.ago(age)}, {size:,} B"),
        )
    start = "restored at the start"
    if not state.restored:
        start = f"not restored at the start: {state.why_not}"
    failed = f"; {html_text.counted(state.failures, 'failure')}" if state.failures else ""
    return html_text.Html(
        f'<span class="detail">State file {pill} {detail} '
        f'<span class="dim">{html_text.text(start)}{failed}</span></span>'
    )


def _links(links: Links) -> html_text.Html:
    labels = (
        (links.metrics, "Metrics"),
        (links.status, "Status as JSON"),
        (links.healthy, "Healthy"),
        (links.ready, "Ready"),
    )
    # Relative, so that they hold behind a proxy that serves us under a prefix.
    return html_text.Html(
        " ".join(
            f'<a href="./{html_text.text(parse.quote(path[1:]))}">{html_text.text(label)}</a>'
            for path, label in labels
        )
    )


def _notes(notes: Sequence[str]) -> html_text.Html:
    if not notes:
        return html_text.Html("")
    items = "".join(f"<li>{html_text.text(note)}</li>" for note in notes)
    return html_text.Html(
        f'<section class="notes"><h2>Why something may be missing</h2><ul>{items}</ul></section>'
    )


def _figures(told: status_schema.Status) -> html_text.Html:
    return html_text.Html(
        _waiting(told)
        + _unacked(told.broker)
        + _workers(told.workers)
        + _events(told.events)
        + _rejected(told.events)
        + _gaps(told.broker)
    )


def _waiting(told: status_schema.Status) -> html_text.Html:
    work = (queue for queue in told.queues if queue.role != badges.DEAD_LETTERS)
    lengths = [queue.length for queue in work if queue.length is not None]
    alarming = _alarming_queues(told)
    detail = f"in {html_text.counted(len(lengths), 'queue')}" if lengths else "no queue polled yet"
    if alarming:
        detail = f"{html_text.counted(alarming, 'queue')} in trouble"
    if told.broker.delayed:
        detail += f", {told.broker.delayed:,} delayed"
    total = sum(lengths) if lengths else None
    return _figure("Messages waiting", total, html_text.Html(detail), alarming=alarming > 0)


def _unacked(broker: status_schema.BrokerStatus) -> html_text.Html:
    if broker.unacked is None:
        return html_text.Html("")
    return _figure("Unacked", broker.unacked, html_text.Html("taken by workers, not yet done"))


def _workers(workers: Sequence[status_schema.WorkerStatus]) -> html_text.Html:
    judged = [badges.of_worker(worker) for worker in workers]
    troubles = Counter(one.label for one in judged if one.severity < badges.LEAST_SEVERE)
    detail = ", ".join(f"{count:,} {label}" for label, count in troubles.items())
    up = sum(worker.state == "up" for worker in workers)
    alarming = any(one.alarming for one in judged)
    return _figure("Workers up", up, html_text.text(detail or "none lost"), alarming=alarming)


def _events(events: status_schema.EventsStatus) -> html_text.Html:
    seen = events.last_event_seconds
    last = "none yet" if seen is None else f"last one {html_text.ago(seen)}"
    return _figure("Events", events.total, html_text.Html(last))


def _rejected(events: status_schema.EventsStatus) -> html_text.Html:
    rejected = {reason: count for reason, count in events.rejected.items() if count}
    if not rejected:
        return html_text.Html("")
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
    return _figure(
        "Events rejected", sum(rejected.values()), html_text.text(reasons), alarming=True
    )


def _gaps(broker: status_schema.BrokerStatus) -> html_text.Html:
    unseen = f"{html_text.duration(broker.gap_seconds)} unseen" if broker.gaps else "nothing unseen"
    return _figure(
        "Gaps in the stream", broker.gaps, html_text.Html(unseen), alarming=broker.gaps > 0
    )


def _figure(
    label: str, value: int | None, detail: html_text.Html, *, alarming: bool = False
) -> html_text.Html:
    tone = ' class="alarming"' if alarming else ""
    return html_text.Html(
        f"<div{tone}><dt>{label}</dt><dd>{html_text.number(value)}</dd><dd>{detail}</dd></div>"
    )
