"""The page says in one line how the broker fares, and leaves out what is not known."""

from __future__ import annotations

import msgspec

from celery_sentinel.status import schema as status_schema
from celery_sentinel.web.pages import broker_line, landing

UNKNOWN = status_schema.ConditionStatus(
    product=None,
    version=None,
    role=None,
    mode=None,
    eviction_policy=None,
    memory_used_bytes=None,
    memory_max_bytes=None,
    evicted_keys=None,
    clients=None,
    clients_max=None,
    writable=None,
)
KNOWN = msgspec.structs.replace(
    UNKNOWN,
    product="redis",
    version="<7>",
    memory_used_bytes=3 * 2**20,
    memory_max_bytes=2**30,
    evicted_keys=2,
    clients=1,
    clients_max=10_000,
    alarms=("memory",),
)
LINKS = landing.Links(metrics="/metrics", status="/s", healthy="/h", ready="/r")


def test_given_figures_then_they_are_worded() -> None:
    """Sizes have units, limits stand behind them, and what a server says is escaped."""
    told = broker_line.line(KNOWN)
    for part in (
        "redis", "&lt;7&gt;", "memory 3 MiB of 1 GiB", "2 keys thrown away",
        "1 connection of 10,000", "memory alarm",
    ):  # fmt: skip
        assert part in told
    assert "<7>" not in told
    no_limit = msgspec.structs.replace(UNKNOWN, memory_used_bytes=1000)
    assert "memory 1000 B no limit" in broker_line.line(no_limit)


def test_given_nothing_then_there_is_no_line() -> None:
    """An empty line would say that something is empty."""
    assert broker_line.line(UNKNOWN) == ""


def test_given_a_broker_that_takes_nothing_then_the_page_does_not_call_it_up(
    empty: status_schema.Status,
) -> None:
    """A broker that is connected and of no use is shown in the colour of what is down."""
    broker = msgspec.structs.replace(
        empty.broker, condition=msgspec.structs.replace(KNOWN, writable=False)
    )
    page = landing.render(msgspec.structs.replace(empty, broker=broker), LINKS).decode()
    assert '<span class="pill bad">takes no messages</span>' in page
