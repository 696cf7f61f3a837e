"""How the tests of queues look at a daemon, and at the readers inside it.

What a poll found is shown for three intervals. Where the machine holds the next poll up for longer
it is gone for a moment, so what is to be shown is waited for, each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from celery_sentinel.config import schema
from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

INTERVAL = 0.5  # seconds between two polls of the queues
WITHIN = 60.0  # seconds for what a few polls must show

_FAST: dict[str, dict[str, Any]] = {
    "metrics": {"zero_born_hold": "0s"},
    "polling": {"queues": f"{INTERVAL}s", "workers": "2s"},
}


def settings(**sections: dict[str, Any]) -> str:
    """Return a config file that polls often and shows new counters at once."""
    return yaml.safe_dump(
        {name: _FAST.get(name, {}) | sections.get(name, {}) for name in _FAST | sections},
        allow_unicode=True,
    )


def config_of(url: str, **transport_options: Any) -> schema.Config:
    """Return the configuration of a reader that no daemon runs."""
    return schema.Config(broker=schema.Broker(url=url, transport_options=transport_options))


def value(sentinel: daemon.Daemon, name: str, /, **labels: str) -> float | None:
    """Return the sum of a metric's samples with these labels, None where there is none."""
    return daemon.total(sentinel.scrape(), name, **labels)


def length(sentinel: daemon.Daemon, queue: str) -> float | None:
    """Return ``celery_queue_length`` of one queue."""
    return value(sentinel, "celery_queue_length", queue_name=queue)


def lengths(sentinel: daemon.Daemon) -> dict[str, float]:
    """Return ``celery_queue_length`` of all queues, by name."""
    return {
        dict(labels)["queue_name"]: found
        for (name, labels), found in sentinel.scrape().items()
        if name == "celery_queue_length"
    }


def labels_of(sentinel: daemon.Daemon, name: str, label: str) -> set[str]:
    """Return the values that a label of a metric has."""
    return {dict(labels)[label] for (found, labels) in sentinel.scrape() if found == name}


def eventually(predicate: Callable[[], T], what: str, *, seconds: float = WITHIN) -> T:
    """Wait until ``predicate`` is true, and return that."""
    return deadline.wait_until(predicate, seconds, what)


def becomes(
    sentinel: daemon.Daemon,
    expected: float,
    name: str,
    /,
    *,
    seconds: float = WITHIN,
    **labels: str,
) -> None:
    """Wait until the sum of a metric's samples with these labels is ``expected``."""
    what = f"{name} of {labels} is {expected}"
    deadline.wait_until(lambda: value(sentinel, name, **labels) == expected, seconds, what)


def polled(sentinel: daemon.Daemon, *, times: int = 2) -> None:
    """Wait until that many polls of the queues have succeeded from now on."""
    name = "celery_sentinel_poll_last_success_timestamp_seconds"
    for _ in range(times):
        before = value(sentinel, name, poller="queues")
        eventually(lambda b=before: value(sentinel, name, poller="queues") != b, "another poll")
