"""The receiver writes without pause, and those who read get their turn all the same."""

from __future__ import annotations

import threading
import time

import pytest

from celery_sentinel.fleet import lock as locks

PATIENCE = 60.0  # seconds


def test_given_a_writer_that_never_pauses_when_one_reads_then_it_gets_in() -> None:
    """A reader waits for one turn of the writer, not for its end."""
    lock = locks.TurnstileLock()
    done, started = threading.Event(), threading.Event()

    def write() -> None:
        while not done.is_set():
            with lock:
                started.set()
                until = time.perf_counter() + 0.001
                while time.perf_counter() < until:
                    pass

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert started.wait(PATIENCE)
        begun = time.monotonic()
        for _ in range(20):
            with lock.reading():
                pass
        assert time.monotonic() - begun < PATIENCE
    finally:
        done.set()
        writer.join(PATIENCE)


def test_given_readers_that_never_pause_when_one_writes_then_it_gets_in() -> None:
    """The receiver is not held up by scrapes that follow each other."""
    lock = locks.TurnstileLock()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            with lock.reading():
                until = time.perf_counter() + 0.001
                while time.perf_counter() < until:
                    pass

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        begun = time.monotonic()
        for _ in range(20):
            with lock:
                pass
        assert time.monotonic() - begun < PATIENCE
    finally:
        done.set()
        for reader in readers:
            reader.join(PATIENCE)


def test_given_readers_and_a_writer_then_one_is_inside_at_a_time() -> None:
    """The lock is exclusive, among readers too."""
    lock = locks.TurnstileLock()
    inside = 0
    worst = 0

    def enter(*, reading: bool) -> None:
        nonlocal inside, worst
        for _ in range(300):
            with lock.reading() if reading else lock:
                inside += 1
                worst = max(worst, inside)
                time.sleep(0)
                inside -= 1

    threads = [
        threading.Thread(target=enter, kwargs={"reading": reading})
        for reading in (True, True, False)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (worst, inside) == (1, 0)


def test_given_an_error_inside_then_the_lock_is_free_again() -> None:
    """Whoever fails inside lets go."""
    lock = locks.TurnstileLock()
    for entered in (lock, lock.reading()):
        with pytest.raises(LookupError), entered:
            raise LookupError
    with lock:
        pass
