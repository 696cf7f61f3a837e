"""What the demo starts is bound to its starter's life."""

from __future__ import annotations

import subprocess
import sys

import pytest

from celery_sentinel.demo import parent_death

NOBODY = 1  # init is not our parent
POOL_PROCESS = """
import ctypes, os
from celery import signals
from celery_sentinel.demo import shop

signals.worker_init.send(None)
for _ in range({generations}):
    if child := os.fork():
        os.waitpid(child, 0)
        os._exit(0)
signals.worker_process_init.send(None)
wish = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(wish))  # PR_GET_PDEATHSIG
print("wishes for signal", wish.value, flush=True)
"""


@pytest.mark.parametrize(("generations", "output"), [(1, "wishes for signal 9\n"), (2, "")])
def test_pool_processes_die_with_their_worker(generations: int, output: str) -> None:
    """A pool process is killed with its worker, and ends when its parent is not the worker."""
    command = [sys.executable, "-c", POOL_PROCESS.format(generations=generations)]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == output


def test_an_orphan_does_not_start() -> None:
    """When the starter died before the kernel knew the wish, nothing is started."""
    command = [sys.executable, "-m", parent_death.__name__, str(NOBODY), "echo", "started"]
    process = subprocess.run(command, capture_output=True, text=True, check=False)

    assert process.returncode == parent_death.GONE
    assert process.stdout == ""
