"""The landing page tells the state at a glance, whatever workers write into names."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from celery_sentinel.web.pages import landing

if TYPE_CHECKING:
    from celery_sentinel.status import schema as status_schema

LINKS = landing.Links("/metrics", "/api/v1/status", "/-/healthy", "/-/ready")

HOSTILE = [
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</td></table><h1>owned",
    "\u202egnp.exe",
    "שלום.tasks.עולם",
    "$title ${version} %s {0}",
    "x" * 250,
    "\ud800",
    "line\nbreak\x00",
]
EXPECTED_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "header", "footer"),
    *("nav", "a", "p", "span", "code", "bdi", "h1", "h2", "ul", "li", "dl", "div", "dt", "dd"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}


class _Reader(html.parser.HTMLParser):
    """Reads a page as a browser does: its tags, its attributes and its text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page.decode("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words.append(data)


def test_hostile_names_stay_text(
    empty: status_schema.Status,
    worker: status_schema.WorkerStatus,
    queue: status_schema.QueueStatus,
    task: status_schema.TaskStatus,
) -> None:
    """No name, note or error adds a tag or an attribute to the page."""
    replace = msgspec.structs.replace
    told = replace(
        empty,
        broker=replace(empty.broker, url=HOSTILE[0], last_error=HOSTILE[1]),
        events=replace(empty.events, rejected=dict.fromkeys(HOSTILE, 1)),
        workers=tuple(
            replace(worker, hostname=n, version=n, state=n, pool=n, wedged=n, queues=(*HOSTILE, n))
            for n in HOSTILE
        ),
        queues=tuple(replace(queue, queue_name=n, role=n, oldest_source=n) for n in HOSTILE),
        busiest=tuple(replace(task, name=n, queue_name=n) for n in HOSTILE),
        failing=tuple(replace(task, name=n, top_exception=n) for n in HOSTILE),
        notes=tuple(HOSTILE),
    )

    page = _Reader(landing.render(told, LINKS))

    assert set(page.tags) <= EXPECTED_TAGS
    assert not {name for name in page.attributes if name.startswith(("on", "src", "style"))}
    assert "<script>alert(1)</script>" in page.words
    assert "x" * 250 in page.words
    assert r"\u202egnp.exe" in page.words
    assert "$title ${version} %s {0}" in page.words


def test_broker_up(empty: status_schema.Status) -> None:
    """The broker is shown redacted with its state and since when."""
    page = landing.render(empty, LINKS).decode()

    assert '<span class="pill good">up</span>' in page
    assert "redis://:***@localhost:6379/0" in page
    assert "for 1 min, since 2023-11-14 22:13:50 UTC" in page


def test_broker_down(empty: status_schema.Status) -> None:
    """A broker that is down is loud: in the title, with the error, and in the empty table."""
    broker = msgspec.structs.replace(empty.broker, up=False, since=None, last_error="refused")
    told = msgspec.structs.replace(empty, broker=broker, ready=False)

    page = landing.render(told, LINKS).decode()

    assert "<title>celery-sentinel: broker DOWN, 0/0 workers up</title>" in page
    assert '<span class="pill bad">down</span>' in page
    assert '<span class="pill bad">not ready</span>' in page
    assert "Error: refused" in page
    assert "No worker can be heard while the broker cannot be reached" in page


@pytest.mark.parametrize(
    "hint",
    [
        "--without-heartbeat",
        "task_send_sent_event = True",
        "worker_send_task_events = True",
        "No task has failed",
    ],
)
def test_empty_states_say_what_to_do(empty: status_schema.Status, hint: str) -> None:
    """A table without rows names the switch that would fill it."""
    assert hint in landing.render(empty, LINKS).decode()


def test_notes_come_first(empty: status_schema.Status, worker: status_schema.WorkerStatus) -> None:
    """Why something may be missing stands before the tables in which it is missing."""
    told = msgspec.structs.replace(empty, workers=(worker,), notes=("w1@a sends no task events",))

    page = landing.render(told, LINKS).decode()

    assert page.index("w1@a sends no task events") < page.index("<table>")
    assert "Why something may be missing" not in landing.render(empty, LINKS).decode()


def test_the_broker_tells_its_answer_time_and_what_is_unacked(empty: status_schema.Status) -> None:
    """Round trip, unacked and delayed messages are shown where they are known."""
    broker = msgspec.structs.replace(
        empty.broker, round_trip_seconds=0.00042, unacked=38, delayed=17
    )

    page = landing.render(msgspec.structs.replace(empty, broker=broker), LINKS).decode()

    assert "answers in 0.4 ms" in page
    assert "<dt>Unacked</dt><dd>38</dd>" in page
    assert "17 delayed" in page


def test_links_are_relative(empty: status_schema.Status) -> None:
    """The links hold under the prefix of a proxy, for odd paths too."""
    links = landing.Links("/a:b/métrics&<", "/api/v1/status", "/-/healthy", "/-/ready")

    page = landing.render(empty, links).decode()

    hrefs = re.findall(r'href="([^"]*)"', page)
    assert hrefs == ["./a%3Ab/m%C3%A9trics%26%3C", "./api/v1/status", "./-/healthy", "./-/ready"]


def test_policy_allows_exactly_our_style(empty: status_schema.Status) -> None:
    """The hash in the policy is that of the style in the page, and nothing else may load."""
    page = landing.render(empty, LINKS)
    style = page.split(b"<style>")[1].split(b"</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()

    policy = landing.content_security_policy()

    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert b"<script" not in page
    assert b"style=" not in page
