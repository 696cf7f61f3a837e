"""A status document to draw pages from."""

from __future__ import annotations

import pytest

from celery_sentinel.status import schema as status_schema


@pytest.fixture
def worker() -> status_schema.WorkerStatus:
    """Return a worker that is up and tells everything about itself."""
    return status_schema.WorkerStatus(
        hostname="celery@web-1",
        state="up",
        pid=4711,
        last_heard_seconds=1.4,
        tasks_active=3,
        tasks_processed=1234567,
        load_average=(0.5, 1.25, 12.0),
        events_enabled=True,
        version="5.4.0",
        system="Linux",
        responding=True,
        pool="prefork",
        concurrency=8,
        tasks_reserved=12,
        tasks_scheduled=0,
        queues=("billing", "emails"),
    )


@pytest.fixture
def queue() -> status_schema.QueueStatus:
    """Return a queue with a backlog that is being worked on."""
    return status_schema.QueueStatus(
        queue_name="billing",
        role="work",
        sources=("inspect",),
        sent=9,
        received=4,
        started=3,
        length=1240,
        consumers=2,
        oldest_message_seconds=12.5,
        oldest_source="tracked",
        workers=2,
        slots=16,
        slots_busy=5,
    )


@pytest.fixture
def task() -> status_schema.TaskStatus:
    """Return a task that sometimes fails."""
    return status_schema.TaskStatus(
        name="shop.charge_card",
        queue_name="billing",
        sent=2000,
        received=1999,
        started=1998,
        succeeded=1497,
        failed=499,
        retried=12,
        revoked=1,
        mean_runtime_seconds=0.035,
        oldest_started_seconds=7500.0,
        top_exception="ConnectionError",
        failed_last_hour=499,
        succeeded_last_hour=1497,
    )


@pytest.fixture
def empty() -> status_schema.Status:
    """Return the status of a daemon that is connected and has heard nothing yet."""
    return status_schema.Status(
        version="0.1.0",
        started=1_700_000_000.0,
        uptime_seconds=90.0,
        ready=True,
        broker=status_schema.BrokerStatus(
            url="redis://:***@localhost:6379/0",
            transport="redis",
            up=True,
            since=1_700_000_030.0,
            last_error=None,
            gaps=0,
            gap_seconds=0.0,
        ),
        events=status_schema.EventsStatus(
            total=0, rejected={}, last_event_seconds=None, tracked_tasks=0
        ),
        workers=(),
        queues=(),
        busiest=(),
        failing=(),
        notes=(),
    )
