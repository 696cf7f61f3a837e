"""What the daemon holds of the system, told by the kernel."""

from __future__ import annotations

import collections
import contextlib
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Held(NamedTuple):
    """Threads by name, and open descriptors by kind (socket, pipe, file …)."""

    threads: collections.Counter[str]
    descriptors: collections.Counter[str]

    def beyond(self, other: Held) -> dict[str, int]:
        """Return what is held here and was not there."""
        more = (self.threads - other.threads) + (self.descriptors - other.descriptors)
        return dict(more)


def held(pid: int) -> Held:
    """Return what the process holds at this moment."""
    threads: collections.Counter[str] = collections.Counter()
    for name in Path(f"/proc/{pid}/task").glob("*/comm"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            threads[f"thread {name.read_text().strip()}"] += 1
    descriptors: collections.Counter[str] = collections.Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            descriptors[_kind(str(link.readlink()))] += 1
    return Held(threads, descriptors)


def _kind(target: str) -> str:
    """Return ``socket`` for ``socket:[1234]``, and a file's path as it is."""
    return target.partition(":")[0]


def resident_kib(pid: int) -> int:
    """Return the resident memory of the process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ProcessLookupError(f"process {pid} has no memory of its own any more")


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the growth per second of (seconds, amount), robust to outliers (Theil and Sen)."""
    # Two hundred points make 20,000 slopes, which is enough of a long run.
    step = max(1, len(points) // 200)
    some = points[::step]
    slopes = [
        (later[1] - earlier[1]) / (later[0] - earlier[0])
        for index, earlier in enumerate(some)
        for later in some[index + 1 :]
        if later[0] > earlier[0]
    ]
    return statistics.median(slopes)
