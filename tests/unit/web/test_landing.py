"""The landing page tells the state at a glance, whatever workers write into names."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import re
from typing import TYPE_CHECKING

import msgspec
import pytest

from celery_sentinel.web import landing, tables

if TYPE_CHECKING:
    from celery_sentinel import status

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
    empty: status.Status,
    worker: status.WorkerStatus,
    queue: status.QueueStatus,
    task: status.TaskStatus,
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


def test_broker_up(empty: status.Status) -> None:
    """The broker is shown redacted with its state and since when."""
    page = landing.render(empty, LINKS).decode()

    assert '<span class="pill good">up</span>' in page
    assert "redis://:***@localhost:6379/0" in page
    assert "for 1 min, since 2023-11-14 22:13:50 UTC" in page


def test_broker_down(empty: status.Status) -> None:
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
def test_empty_states_say_what_to_do(empty: status.Status, hint: str) -> None:
    """A table without rows names the switch that would fill it."""
    assert hint in landing.render(empty, LINKS).decode()


def test_notes_come_first(empty: status.Status, worker: status.WorkerStatus) -> None:
    """Why something may be missing stands before the tables in which it is missing."""
    told = msgspec.structs.replace(empty, workers=(worker,), notes=("w1@a sends no task events",))

    page = landing.render(told, LINKS).decode()

    assert page.index("w1@a sends no task events") < page.index("<table>")
    assert "Why something may be missing" not in landing.render(empty, LINKS).decode()


def test_worker_row(empty: status.Status, worker: status.WorkerStatus) -> None:
    """A worker's row has its state, slots, counts, age, queues, pool and version."""
    page = landing.render(msgspec.structs.replace(empty, workers=(worker,)), LINKS).decode()

    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)

    assert cells == [
        '<span class="pill good">up</span>',
        "<bdi>celery@web-1</bdi>",
        "3 / 8",
        "12",
        "0",
        "1,234,567",
        "1 s ago",
        "<bdi>billing</bdi>, <bdi>emails</bdi>",
        "<bdi>prefork</bdi> <bdi>5.4.0</bdi>",
    ]


def test_unknown_is_not_zero(empty: status.Status, worker: status.WorkerStatus) -> None:
    """What a worker does not tell is a dash."""
    silent = msgspec.structs.replace(
        worker, tasks_active=None, tasks_processed=None, tasks_reserved=None, queues=None
    )
    told = msgspec.structs.replace(empty, workers=(worker, silent))

    cells = re.findall(r"<td[^>]*>(.*?)</td>", landing.render(told, LINKS).decode())

    assert [cell for cell in cells if "&ndash;" in cell] == [
        '<span class="dim">&ndash;</span> / 8',
        *['<span class="dim">&ndash;</span>'] * 3,
    ]


def test_columns_that_tell_nothing_are_left_out(
    empty: status.Status, worker: status.WorkerStatus, queue: status.QueueStatus
) -> None:
    """Before the first poll there are no columns for what only a poll can tell."""
    replace = msgspec.structs.replace
    unpolled = replace(worker, tasks_reserved=None, tasks_scheduled=None, queues=None)
    unread = replace(
        queue,
        length=None,
        consumers=None,
        oldest_message_seconds=None,
        workers=None,
        slots=None,
        slots_busy=None,
    )

    told = replace(empty, workers=(unpolled,), queues=(unread,))
    headings = re.findall(r"<th [^>]*>(.*?)</th>", landing.render(told, LINKS).decode())

    assert headings == [
        *("State", "Queue", "Waiting", "Reserved", "Running"),
        *("State", "Worker", "Slots busy", "Processed", "Last heard", "Pool, Celery"),
    ]


def test_queue_row(empty: status.Status, queue: status.QueueStatus) -> None:
    """A queue's row has its depth first, then age, workers, slots and what they hold."""
    page = landing.render(msgspec.structs.replace(empty, queues=(queue,)), LINKS).decode()

    cells = re.findall(r"<td[^>]*>(.*?)</td>", page)

    assert cells == [
        '<span class="pill good">moving</span>',
        "<bdi>billing</bdi>",
        "1,240",
        "12.5 s",
        "2",
        "5 / 16",
        "4",
        "3",
    ]


def test_an_observed_age_is_a_bound(empty: status.Status, queue: status.QueueStatus) -> None:
    """A message of which we only know how long we have seen it is at least so old."""
    observed = msgspec.structs.replace(queue, oldest_source="observed")

    page = landing.render(msgspec.structs.replace(empty, queues=(observed,)), LINKS).decode()

    assert '<span class="dim">at least</span> 12.5 s' in page


def test_what_the_management_api_tells_has_columns(
    empty: status.Status, queue: status.QueueStatus
) -> None:
    """Unacked messages are shown where known, consumers where they are not the workers."""
    told = msgspec.structs.replace(queue, unacked=77, consumers=3)

    page = landing.render(msgspec.structs.replace(empty, queues=(told,)), LINKS).decode()

    assert re.search(r">Unacked</th>.*>Workers</th>.*>Consumers</th>", page)
    assert re.search(r">77</td>.*>2</td>.*>3</td>", page)


def test_queues_in_trouble_come_first(empty: status.Status, queue: status.QueueStatus) -> None:
    """The stuck queue is on top and marked, above fuller ones; the title and figures say so."""
    replace = msgspec.structs.replace
    stuck = replace(queue, queue_name="slow", length=1, oldest_message_seconds=90.0)
    idle = replace(queue, queue_name="idle", length=0, oldest_message_seconds=None)
    full = replace(queue, queue_name="full", length=10**6)
    told = replace(empty, queues=(idle, queue, full, stuck))

    page = landing.render(told, LINKS).decode()
    rows = re.findall(r"<tr( class=\"alarm\")?><td.*?<bdi>(\w+)</bdi>", page)

    assert rows == [
        (' class="alarm"', "slow"),
        ("", "full"),
        ("", "billing"),
        ("", "idle"),
    ]
    assert "0/0 workers up, 1 queue in trouble</title>" in page
    assert "<dt>Messages waiting</dt><dd>1,001,241</dd><dd>1 queue in trouble</dd>" in page


def test_dead_letters_are_no_work(empty: status.Status, queue: status.QueueStatus) -> None:
    """What lies in a dead-letter queue is an alarm, and not counted as waiting."""
    dead = msgspec.structs.replace(queue, queue_name="dlq", role="dead_letter", length=3)

    page = landing.render(msgspec.structs.replace(empty, queues=(queue, dead)), LINKS).decode()

    assert '<span class="pill bad">dead letters</span>' in page
    assert '<bdi>dlq</bdi> <span class="dim">dead letter</span>' in page
    assert "<dt>Messages waiting</dt><dd>1,240</dd>" in page


def test_the_broker_tells_its_answer_time_and_what_is_unacked(empty: status.Status) -> None:
    """Round trip, unacked and delayed messages are shown where they are known."""
    broker = msgspec.structs.replace(
        empty.broker, round_trip_seconds=0.00042, unacked=38, delayed=17
    )

    page = landing.render(msgspec.structs.replace(empty, broker=broker), LINKS).decode()

    assert "answers in 0.4 ms" in page
    assert "<dt>Unacked</dt><dd>38</dd>" in page
    assert "17 delayed" in page


def test_worker_verdicts_are_counted(empty: status.Status, worker: status.WorkerStatus) -> None:
    """How many workers are in which trouble is beside the number of those up."""
    replace = msgspec.structs.replace
    wedged = replace(worker, hostname="w@w", wedged="no_progress")
    slow = replace(worker, hostname="s@s", responding=False)
    told = replace(empty, workers=(worker, slow, wedged))

    page = landing.render(told, LINKS).decode()

    assert "1 not answering, 1 wedged" in page
    assert "3/3 workers up" in page
    assert page.index("w@w") < page.index("s@s") < page.index("celery@web-1")
    assert "free slots and a backlog, but starts nothing" in page


def test_lost_workers_come_first(empty: status.Status, worker: status.WorkerStatus) -> None:
    """The worker that somebody looks for is on top, and counted."""
    lost = msgspec.structs.replace(worker, hostname="z@z", state="lost")

    page = landing.render(msgspec.structs.replace(empty, workers=(worker, lost)), LINKS).decode()

    assert page.index("z@z") < page.index("celery@web-1")
    assert "1/2 workers up" in page
    assert "1 lost" in page


def test_failing_row(empty: status.Status, task: status.TaskStatus) -> None:
    """A failing task has its ratio of all that ended and its most frequent exception."""
    page = landing.render(msgspec.structs.replace(empty, failing=(task,)), LINKS).decode()

    assert '<td class="number">25.0 %</td>' in page
    assert "<bdi>ConnectionError</bdi>" in page


def test_many_rows_are_cut(empty: status.Status, worker: status.WorkerStatus) -> None:
    """A large fleet has a page of bounded size that says where the rest is."""
    many = tuple(
        msgspec.structs.replace(worker, hostname=f"w{n}@a") for n in range(tables.ROWS + 1500)
    )

    page = landing.render(msgspec.structs.replace(empty, workers=many), LINKS).decode()

    assert page.count("@a</bdi>") == tables.ROWS
    assert "1,500 more are in the status as JSON." in page


def test_links_are_relative(empty: status.Status) -> None:
    """The links hold under the prefix of a proxy, for odd paths too."""
    links = landing.Links("/a:b/métrics&<", "/api/v1/status", "/-/healthy", "/-/ready")

    page = landing.render(empty, links).decode()

    hrefs = re.findall(r'href="([^"]*)"', page)
    assert hrefs == ["./a%3Ab/m%C3%A9trics%26%3C", "./api/v1/status", "./-/healthy", "./-/ready"]


def test_policy_allows_exactly_our_style(empty: status.Status) -> None:
    """The hash in the policy is that of the style in the page, and nothing else may load."""
    page = landing.render(empty, LINKS)
    style = page.split(b"<style>")[1].split(b"</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()

    policy = landing.content_security_policy()

    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert b"<script" not in page
    assert b"style=" not in page
