"""Draws the page a person on call opens first: what is up, what fails and what is not known."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import re
import string
from importlib import resources
from typing import TYPE_CHECKING
from urllib import parse

from celery_sentinel.web import tables, wording

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
    return wording.Html(f"celery-sentinel: broker {broker}, {up}/{len(told.workers)} workers up")


def _broker(told: status_document.Status) -> wording.Html:
    broker = told.broker
    state = wording.pill("up", "good") if broker.up else wording.pill("down", "bad")
    parts = [f"Broker {state} <code>{wording.name(broker.url)}</code>"]
    if broker.since is not None:
        elapsed = max(told.started + told.uptime_seconds - broker.since, 0.0)
        moment = wording.moment(broker.since)
        parts.append(f'<span class="dim">for {wording.duration(elapsed)}, since {moment}</span>')
    if broker.last_error is not None:
        label, tone = ("Last error", "dim") if broker.up else ("Error", "error")
        reason = wording.text(broker.last_error)
        parts.append(f'<span class="detail {tone}">{label}: {reason}</span>')
    return wording.Html(" ".join(parts))


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
    up = sum(worker.state == "up" for worker in told.workers)
    lost = len(told.workers) - up
    events, broker = told.events, told.broker
    rejected = {reason: count for reason, count in events.rejected.items() if count}
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in rejected.items())
    seen = events.last_event_seconds
    last = (
        wording.Html("none yet") if seen is None else wording.Html(f"last one {wording.ago(seen)}")
    )
    unseen = f"{wording.duration(broker.gap_seconds)} unseen" if broker.gaps else "nothing unseen"
    return wording.Html(
        _figure("Workers up", up, wording.Html(f"{lost:,} lost"), alarming=lost > 0)
        + _figure("Events", events.total, last)
        + _figure("Tasks tracked", events.tracked_tasks, wording.Html("in flight or just ended"))
        + _figure(
            "Events rejected",
            sum(rejected.values()),
            wording.text(reasons or "all could be read"),
            alarming=bool(rejected),
        )
        + _figure("Gaps in the stream", broker.gaps, wording.Html(unseen), alarming=broker.gaps > 0)
    )


def _figure(
    label: str, value: int, detail: wording.Html, *, alarming: bool = False
) -> wording.Html:
    tone = ' class="alarming"' if alarming else ""
    return wording.Html(
        f"<div{tone}><dt>{label}</dt><dd>{wording.number(value)}</dd><dd>{detail}</dd></div>"
    )
