"""The tables of the landing page: what each row says, and which row is on top."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from celery_sentinel.web.pages import landing, tables
from tests.unit.web.test_landing import LINKS

if TYPE_CHECKING:
    from celery_sentinel.status import schema as status_schema


def test_worker_row(empty: status_schema.Status, worker: status_schema.WorkerStatus) -> None:
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


def test_unknown_is_not_zero(
    empty: status_schema.Status, worker: status_schema.WorkerStatus
) -> None:
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
    empty: status_schema.Status,
    worker: status_schema.WorkerStatus,
    queue: status_schema.QueueStatus,
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


def test_queue_row(empty: status_schema.Status, queue: status_schema.QueueStatus) -> None:
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


def test_an_observed_age_is_a_bound(
    empty: status_schema.Status, queue: status_schema.QueueStatus
) -> None:
    """A message of which we only know how long we have seen it is at least so old."""
    observed = msgspec.structs.replace(queue, oldest_source="observed")

    page = landing.render(msgspec.structs.replace(empty, queues=(observed,)), LINKS).decode()

    assert '<span class="dim">at least</span> 12.5 s' in page


def test_what_the_management_api_tells_has_columns(
    empty: status_schema.Status, queue: status_schema.QueueStatus
) -> None:
    """Unacked messages are shown where known, consumers where they are not the workers."""
    told = msgspec.structs.replace(queue, unacked=77, consumers=3)

    page = landing.render(msgspec.structs.replace(empty, queues=(told,)), LINKS).decode()

    assert re.search(r">Unacked</th>.*>Workers</th>.*>Consumers</th>", page)
    assert re.search(r">77</td>.*>2</td>.*>3</td>", page)


def test_queues_in_trouble_come_first(
    empty: status_schema.Status, queue: status_schema.QueueStatus
) -> None:
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


def test_dead_letters_are_no_work(
    empty: status_schema.Status, queue: status_schema.QueueStatus
) -> None:
    """What lies in a dead-letter queue is an alarm, and not counted as waiting."""
    dead = msgspec.structs.replace(queue, queue_name="dlq", role="dead_letter", length=3)

    page = landing.render(msgspec.structs.replace(empty, queues=(queue, dead)), LINKS).decode()

    assert '<span class="pill bad">dead letters</span>' in page
    assert '<bdi>dlq</bdi> <span class="dim">dead letter</span>' in page
    assert "<dt>Messages waiting</dt><dd>1,240</dd>" in page


def test_worker_verdicts_are_counted(
    empty: status_schema.Status, worker: status_schema.WorkerStatus
) -> None:
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


def test_lost_workers_come_first(
    empty: status_schema.Status, worker: status_schema.WorkerStatus
) -> None:
    """The worker that somebody looks for is on top, and counted."""
    lost = msgspec.structs.replace(worker, hostname="z@z", state="lost")

    page = landing.render(msgspec.structs.replace(empty, workers=(worker, lost)), LINKS).decode()

    assert page.index("z@z") < page.index("celery@web-1")
    assert "1/2 workers up" in page
    assert "1 lost" in page


def test_failing_row(empty: status_schema.Status, task: status_schema.TaskStatus) -> None:
    """A failing task has its ratio of what ended lately and its most frequent exception."""
    lately = msgspec.structs.replace(task, failed_last_hour=1, succeeded_last_hour=3, failed=700)
    page = landing.render(msgspec.structs.replace(empty, failing=(lately,)), LINKS).decode()

    assert '<td class="number">25.0 %</td>' in page
    assert '<td class="number">700</td>' in page
    assert "<bdi>ConnectionError</bdi>" in page


def test_many_rows_are_cut(empty: status_schema.Status, worker: status_schema.WorkerStatus) -> None:
    """A large fleet has a page of bounded size that says where the rest is."""
    many = tuple(
        msgspec.structs.replace(worker, hostname=f"w{n}@a") for n in range(tables.ROWS + 1500)
    )

    page = landing.render(msgspec.structs.replace(empty, workers=many), LINKS).decode()

    assert page.count("@a</bdi>") == tables.ROWS
    assert "1,500 more are in the status as JSON." in page


def test_rejections_have_a_column_where_there_are_any(
    empty: status_schema.Status, task: status_schema.TaskStatus
) -> None:
    """Most fleets reject nothing."""
    without = landing.render(msgspec.structs.replace(empty, busiest=(task,)), LINKS).decode()
    rejecting = msgspec.structs.replace(task, rejected=77)
    page = landing.render(msgspec.structs.replace(empty, busiest=(rejecting,)), LINKS).decode()

    assert "Rejected" not in without
    assert "Rejected" in page
    assert '<td class="number">77</td>' in page
