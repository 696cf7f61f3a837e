"""What a run was like, for people: pytest shows it when a test failed, or with -rP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.servers import daemon
from tests.soak import resources

if TYPE_CHECKING:
    from tests.soak.ledger import Ledger
    from tests.soak.scene import Scene


def say(seconds: float, name: str, books: Ledger) -> None:
    """Print what has happened and what is not counted since."""
    lacking = {outcome: number for outcome, number in books.deficit.items() if number}
    print(f"{seconds:6.0f} s {name}: not counted {lacking or 'nothing'}", flush=True)  # noqa: T201


def growth(scene: Scene, *, since: float) -> float:
    """Print the figures of the run; return how much memory it has grown by, in KiB.

    It is that of the trend over the time after ``since`` (monotonic), not of two moments.
    """
    points = [point for point in scene.watching.memory if point[0] >= since]
    took = points[-1][0] - points[0][0]
    grown = resources.slope(points) * took
    samples = scene.watching.latest
    truth = scene.books.truth()
    say_all = {
        "tasks sent": truth["sent"],
        "tasks started": truth["started"],
        "not sent, the broker being away": scene.load.refused,
        "gaps": daemon.total(samples, "celery_sentinel_stream_gaps_total"),
        "workers lost": daemon.total(samples, "celery_worker_lost_total"),
        "scrapes": scene.watching.scrapes,
        "series": daemon.total(samples, "celery_sentinel_series"),
        "CPU seconds of the daemon": daemon.total(samples, "process_cpu_seconds_total"),
        "resident KiB, in tenths of that time": [
            int(points[tenth * (len(points) - 1) // 10][1]) for tenth in range(11)
        ],
        f"trend in KiB over {took:.0f} s": round(grown),
        "held": {**scene.watching.held().threads, **scene.watching.held().descriptors},
    }
    for what, value in say_all.items():
        print(f"{what}: {value}")  # noqa: T201
    return grown
