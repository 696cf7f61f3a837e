"""Says in plain words what is odd about a worker, and what cannot be known of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.fleet import worker_gone, worker_verdict
from celery_sentinel.fleet.worker import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from celery_sentinel.fleet.worker import Worker

MOST_WORKERS = 20
MOST_QUEUES = 5


def build(known: list[Worker], now: float, *, unread: bool = False) -> list[str]:
    """Return the notes on at most 20 workers that have one; ``now`` is monotonic.

    ``unread``: events came that are not read, so what a worker does not send is not known.
    """
    found = [notes for worker in known if (notes := list(_of(worker, now, unread=unread)))]
    return [note for notes in found[:MOST_WORKERS] for note in notes]


def _of(worker: Worker, now: float, *, unread: bool) -> Iterator[str]:
    name = worker.hostname
    if worker.events_enabled is False and not unread:
        yield (
            f"Worker {name} runs tasks but sends no task events: start it with -E, "
            "or leave events.enable on."
        )
    if worker.duplicate:
        yield f"Two workers call themselves {name}: give each its own name with -n."
    if worker.state is State.UNHEARD and worker.heartbeat_at is None and not unread:
        yield (
            f"Worker {name} sends no heartbeats (--without-heartbeat?), so "
            "whether it is up cannot be known."
        )
    if worker.state is State.UP:
        yield from _of_answers(worker)
    else:
        yield from _of_silence(worker, max(0.0, now - worker.last_heard))


def _of_answers(worker: Worker) -> Iterator[str]:
    name = worker.hostname
    if worker.ignored >= worker_gone.IGNORED:
        yield (
            f"Worker {name} beats and has never answered a question: its remote control seems to "
            "be off (worker_enable_remote_control = False), or its application has a "
            "control_exchange of its own, to be set as broker.control_exchange. Its pool, slots "
            "and queues are unknown."
        )
    if worker.wedged == worker_verdict.NOT_CONSUMING:
        yield (
            f"Worker {name} consumes no queue any more ({_listed(worker.consumed)}): somebody has "
            "called cancel_consumer, or it lost them when it reconnected. add_consumer or a "
            "restart brings it back."
        )
    elif worker.limits_hold:
        yield (
            f"Worker {name} has free slots beside a backlog and starts nothing: a rate limit of a "
            "task that it has received holds it back, or may do so. Whether it is stuck as well "
            "cannot be known."
        )
    elif worker.left_queues and worker.queues:
        yield f"Worker {name} no longer consumes {_listed(worker.left_queues)}, as it did before."


def _of_silence(worker: Worker, silent: float) -> Iterator[str]:
    name, minutes = worker.hostname, int(silent // 60)
    since = f"{minutes} min" if minutes else f"{int(silent)} s"
    if worker.may_be_working and silent > worker.patience:
        pool = (
            "solo"
            if worker.kind == worker_verdict.SOLO
            else "perhaps solo, for its pool is unknown"
        )
        yield (
            f"Worker {name} has been silent for {since}. It is {pool}, so it may be running a "
            "task; which one, and whether it is up, cannot be known before it ends."
        )
    elif worker.state is State.LOST and worker.running:
        yield (
            f"Worker {name} fell silent {since} ago over {len(worker.running)} running task(s). "
            "Whether its process is gone is not known, so they are not counted as lost."
        )


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - MOST_QUEUES
    return ", ".join(names[:MOST_QUEUES]) + (f" and {more} more" if more > 0 else "")
