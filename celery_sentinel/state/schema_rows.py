"""What a state file says of a worker and of our connection, which refer to nothing else in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.state import schema as state_schema

if TYPE_CHECKING:
    from celery_sentinel.fleet.worker import Worker
    from celery_sentinel.telemetry import subscription as streams

SAME = tuple(
    name
    for name in state_schema.Worker.__struct_fields__
    if name not in {"hostname", "state", "processed_by_pid", "skews", "ledgers"}
)


def worker(told: Worker) -> state_schema.Worker:
    """Return the row of a worker."""
    return state_schema.Worker(
        hostname=told.hostname,
        state=told.state.value,
        processed_by_pid=list(told.processed_by_pid.items()),
        skews=list(told.skews),
        ledgers=[
            state_schema.Ledger(pid, *balance)
            for pid, ledger in told.ledgers.items()
            if (balance := ledger.balance()) is not None
        ],
        **{name: getattr(told, name) for name in SAME},
    )


def stream(connection: streams.Subscription, now: float) -> state_schema.Stream:
    """Return what is told of our connection at monotonic ``now``."""
    gap_seconds, under_way, unjudged = connection.breaks(now)
    return state_schema.Stream(
        up=connection.up,
        gap_seconds=gap_seconds,
        under_way=under_way,
        unjudged=unjudged,
        resumptions=connection.resumptions,
        **{
            name: dict(getattr(connection, name))
            for name in ("gaps", "rejected", "salvaged", "control", "failures")
        },
    )
