"""What a person sees of a broker's health: in the status, on the page, in /-/ready, in metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from collections.abc import Callable

WITHIN = 60.0  # seconds: a minute is what is promised
POLLS: dict[str, Any] = {"queues": "1s", "workers": "5s"}


def config(**sections: dict[str, Any]) -> str:
    """Return a config file of a daemon that polls often."""
    return yaml.safe_dump({"polling": POLLS} | sections)


def broker_of(sentinel: daemon.Daemon) -> dict[str, Any]:
    """Return the broker's part of the status."""
    found: dict[str, Any] = sentinel.get("/api/v1/status").json()["broker"]
    return found


def notes_of(sentinel: daemon.Daemon) -> str:
    """Return all notes as one text."""
    return "\n".join(sentinel.get("/api/v1/status").json()["notes"])


def trouble(sentinel: daemon.Daemon, reason: str) -> str:
    """Wait until this is wrong with the broker; return what is told of it.

    The status, the notes, the page and the metric say the same. Which poll's words are told may
    change from one look to the next.
    """

    def found() -> str | None:
        status = sentinel.get("/api/v1/status").json()
        troubles = status["broker"]["troubles"]
        text = next((one["text"] for one in troubles if one["reason"] == reason), None)
        noted = text is not None and text in "\n".join(status["notes"])
        return text if noted and status["broker"]["last_error"] is not None else None

    told: str = deadline.wait_until(
        found, WITHIN, f"a trouble {reason}; the broker is {broker_of(sentinel)}"
    )
    eventually(lambda: metric(sentinel, "celery_broker_trouble", reason=reason) == 1, reason)
    return told


def unusable(sentinel: daemon.Daemon, reason: str) -> str:
    """Wait until the broker is told to be of no use for this reason, everywhere."""
    told = trouble(sentinel, reason)

    def refused() -> bool:
        answer = sentinel.get("/-/ready")
        return answer.status_code == 503 and trouble(sentinel, reason)[:30] in answer.text

    eventually(refused, "/-/ready says why")
    eventually(
        lambda: metric(sentinel, "celery_broker_writable") == 0, "celery_broker_writable is 0"
    )
    page = sentinel.get("/", headers={"Accept": "text/html"}).text
    assert "takes no messages" in page
    assert "not ready" in page
    return told


def well(sentinel: daemon.Daemon) -> None:
    """Wait until nothing is wrong with the broker, and all places say so."""
    eventually(lambda: broker_of(sentinel)["troubles"] == [], "no trouble is told")
    eventually(lambda: metric(sentinel, "celery_broker_writable") == 1, "it takes messages")
    assert metric(sentinel, "celery_broker_trouble") == 0
    eventually(lambda: sentinel.get("/-/ready").status_code == 200, "ready again")


def metric(sentinel: daemon.Daemon, name: str, /, **labels: str) -> float | None:
    """Return the sum of a metric's samples with these labels, None where there is none."""
    return daemon.total(sentinel.scrape(), name, **labels)


def eventually(predicate: Callable[[], object], what: str) -> None:
    """Wait until ``predicate`` is true, for the minute that is promised."""
    deadline.wait_until(predicate, WITHIN, what)
