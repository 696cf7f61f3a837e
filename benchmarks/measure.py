"""Reads from /proc what a process has used: CPU seconds, and its peak of memory."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_TICKS = os.sysconf("SC_CLK_TCK")
LEAST = 1 / _TICKS  # seconds: /proc counts no finer
_NOTHING = 0.03  # CPU seconds a process that is done may use while we look


def _stat(pid: int) -> list[str]:
    # The name in parentheses may contain anything; what follows it may not.
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(int(path.name))[1]), []).append(int(path.name))
    found = [pid]
    for one in found:
        found.extend(children.get(one, ()))
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, its children included, ended ones too."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            total += sum(map(int, _stat(one)[11:15]))
    return total / _TICKS


def peak_rss(pid: int) -> int:
    """Return the most bytes of memory a process ever had resident, its children's added."""
    total = 0
    for one in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
    return total


def wait_quiet(pid: int, timeout: float, *, quiet: float) -> bool:
    """Wait until a process has done next to nothing for ``quiet`` seconds; tell whether it has."""
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        before = cpu_seconds(pid)
        time.sleep(quiet)
        if cpu_seconds(pid) - before <= _NOTHING:
            return True
    return False


def spin() -> float:
    """Return the CPU seconds of a fixed piece of work: how fast this machine is right now."""
    begun = time.process_time()
    total = 0
    for number in range(2_000_000):
        total += number & 7
    return time.process_time() - begun


def cost(call: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU seconds and the seconds of a call in this thread."""
    cpu, wall = time.thread_time(), time.perf_counter()
    call()
    return time.thread_time() - cpu, time.perf_counter() - wall
