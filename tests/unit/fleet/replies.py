"""What answers of workers say in these tests, and what shows it."""

from __future__ import annotations

from typing import Any

from celery_sentinel.metrics import catalogue

FACTS: dict[str, Any] = {
    "pid": 7,
    "pool": "prefork",
    "concurrency": 4,
    "prefetch_count": 16,
    "max_rss_bytes": 2**26,
    "queues": ("mail", "sms"),
}
LASTING = (
    catalogue.WORKER_CONCURRENCY,
    catalogue.WORKER_PREFETCH_COUNT,
    catalogue.WORKER_MAX_RSS,
)
HELD = (catalogue.WORKER_TASKS_RESERVED, catalogue.WORKER_TASKS_SCHEDULED)
