"""A task mix that ends in every way a task can end, and what must be counted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import daemon, deadline

if TYPE_CHECKING:
    from tests.servers import producer, worker

OUTCOMES = ("received", "started", "succeeded", "failed", "retried", "revoked")


def send(sending: producer.Producer, *, quick: int = 100) -> None:
    """Send the mix: quick, failing in five ways, retried, eta, ignored, rejected."""
    for number in range(quick):
        sending.send("quick", number)
    for kind in ("value", "key", "timeout", "connection", "declined"):
        for _ in range(3):
            sending.send("failing", kind)
    for _ in range(4):
        sending.send("retrying", 2)
    for _ in range(5):
        sending.send("quick", countdown=1)
    sending.send("ignoring")
    sending.send("rejecting")
    sending.send("not_a_number")
    sending.send("lone_surrogate")
    sending.send_unregistered("nobody.knows")


def revoke_one(sending: producer.Producer) -> None:
    """Send a task for later and revoke it, which shows when its time has come."""
    later = sending.send("quick", countdown=2)
    sending.revoke(later.id)


def counted(samples: daemon.Samples, outcome: str) -> int:
    """Return how many tasks of all names and queues were counted under an outcome."""
    return int(daemon.total(samples, f"celery_task_{outcome}_total") or 0)


def all_counted(samples: daemon.Samples) -> dict[str, int]:
    """Return the count of each outcome."""
    return {outcome: counted(samples, outcome) for outcome in ("sent", *OUTCOMES)}


def expected(sending: producer.Producer, working: worker.CeleryWorker) -> dict[str, int]:
    """Return what the application did, told by its own signals and not by events.

    An unregistered task fails without being received; a rejected one counts as failed, too.
    """
    truth = working.truth.outcomes()
    return {
        "sent": sending.sent.total() + truth["retried"],
        "received": truth["received"],
        "started": truth["started"],
        "succeeded": truth["succeeded"],
        "failed": truth["failed"] + truth["unknown"],
        "retried": truth["retried"],
        "revoked": truth["revoked"],
    }


def wait_until_done(working: worker.CeleryWorker, *, ended: int) -> None:
    """Wait until the worker has ended ``ended`` tasks, whichever way."""

    def done() -> int:
        truth, names = working.truth.outcomes(), working.truth.counts()
        return (
            truth["succeeded"]
            + truth["failed"]
            + truth["revoked"]
            + truth["unknown"]
            + names["started", "ignoring"]
        )

    deadline.wait_until(lambda: done() >= ended, 120, f"{ended} tasks ended")
