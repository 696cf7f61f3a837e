"""What zlib makes out of little is paid for: its decoding and the applying of its events."""

from __future__ import annotations

import json
import zlib

from celery_sentinel.events import decoding, time_budget
from celery_sentinel.events.event import Event

BATCH = json.dumps([{"type": "task-failed", "uuid": "1"}] * 10_000).encode()
MESSAGES = 100


class Clock:
    """A monotonic clock that stands still until it is set."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the time in seconds."""
        return self.now


def test_sound_batches_that_were_packed_are_within_the_budget() -> None:
    """In ten seconds as many are taken as can be applied in three, and one second's at once."""
    clock, out = Clock(), list[Event]()
    decoder = decoding.Decoder(budget=time_budget.CpuBudget(clock))
    packed = zlib.compress(BATCH, 9)
    for _ in range(MESSAGES):
        decoder.body(packed, out, compression=decoding.ZLIB)
        clock.now += 0.1
    taken = len(out) / 10_000
    assert 0 < len(out) * decoding.APPLYING < 10 * time_budget.SHARE + 2 * time_budget.BURST
    assert decoder.rejected["too_costly"] == MESSAGES - taken
    assert decoder.salvaged["compressed"] == taken


def test_a_batch_sent_as_it_is_needs_no_budget() -> None:
    """Its sender pays for it as we do; all of them are applied."""
    out = list[Event]()
    decoder = decoding.Decoder(budget=time_budget.CpuBudget(Clock()))
    for _ in range(10):
        decoder.body(BATCH, out)
    assert len(out) == 100_000


def test_small_packed_messages_are_all_taken() -> None:
    """An application that packs its events, some dozens in a message, loses none of them."""
    clock, out = Clock(), list[Event]()
    decoder = decoding.Decoder(budget=time_budget.CpuBudget(clock))
    packed = zlib.compress(json.dumps([{"type": "task-failed", "uuid": "1"}] * 24).encode())
    for _ in range(1000):
        decoder.body(packed, out, compression=decoding.ZLIB)
        clock.now += 0.01
    assert len(out) == 24_000
