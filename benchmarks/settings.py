"""How much is measured: in full, or so little that a test can see that everything still runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Sizes of all parts.

    ``rate`` is messages a second, one that celery-exporter survives; ``warm_up`` events come
    before those that are measured, and ``quiet`` are the seconds of rest that show the end. Who
    has not counted all by then gets ``patience`` seconds more, in which no CPU is measured.
    """

    burst_events: int = 100_000
    paced_events: int = 40_000
    rate: float = 3500.0
    rounds: int = 1
    warm_up: int = 2000
    quiet: float = 0.8
    patience: float = 3.0
    real_tasks: int = 3000
    series: tuple[int, ...] = (1000, 10_000, 100_000)
    scrapes: int = 10
    open_tasks: tuple[int, ...] = (10_000, 100_000, 500_000)
    workers: tuple[int, ...] = (10, 30, 100, 300, 1000)
    queues: tuple[int, ...] = (10, 50, 250, 1000, 5000)
    faults: int = 20


FULL = Settings()
TINY = Settings(
    burst_events=400,
    paced_events=400,
    warm_up=40,
    quiet=0.2,
    patience=60.0,
    real_tasks=20,
    series=(1000, 2000),
    scrapes=1,
    open_tasks=(1000, 2000),
    workers=(2, 4),
    queues=(2, 4),
    faults=1,
)
