"""A budget for what is broken bounds how long the receiver is held up, on any machine."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from celery_sentinel.events import decoding, time_budget
from celery_sentinel.events.event import Event
from tests.unit.events import published

LOOSE = b'{"type": "a", "pid": "x"}'
SOUND = b'{"type": "b"}'


class Work:
    """Work that is done where the budget allows it, by a clock of ours."""

    def __init__(self) -> None:
        self.now = 0.0
        self.done = 0
        self._budget = time_budget.CpuBudget(lambda: self.now)

    def offer(self, seconds: float) -> bool:
        """Do so much work, if it is allowed; tell whether it was."""
        if not self._budget.begin():
            return False
        self.now += seconds
        self._budget.end()
        self.done += 1
        return True


@pytest.mark.parametrize("seconds", [0.005, 0.04, 0.64])
def test_a_flood_holds_the_receiver_up_for_a_moment(seconds: float) -> None:
    """5 ms of work take many times as long where others have most of the processor."""
    work = Work()
    for _ in range(2000):
        work.offer(seconds)
    assert work.now < 2 * time_budget.BURST + seconds
    assert 0 < work.done < 2000


def test_a_debt_is_paid_at_the_pace_of_the_share() -> None:
    """No more is saved meanwhile than may be spent at once."""
    work = Work()
    assert work.offer(2 * time_budget.BURST)
    assert not work.offer(1.0)
    work.now += time_budget.BURST / time_budget.SHARE
    assert work.offer(1.0)
    work.now += 1e9
    assert work.offer(2 * time_budget.BURST)
    assert not work.offer(1.0)


def test_a_process_that_was_frozen_amid_a_message_goes_on() -> None:
    """An hour without a processor is no work of ours, and leaves no debt of hours."""
    work = Work()
    assert work.offer(3600.0)
    assert work.offer(1.0)


def test_broken_messages_are_refused_unseen_and_sound_ones_never() -> None:
    """When the time for what is broken is used up."""
    clock = itertools.count(0.0, 0.6).__next__  # 0.6 s from one look to the next
    decoder, found = decoding.Decoder(budget=time_budget.CpuBudget(clock)), list[Event]()
    for _ in range(9):
        decoder.body(LOOSE, found)
        decoder.body(SOUND, found)
    loose = sum(event.type == "a" for event in found)
    assert len(found) - loose == 9
    assert loose + decoder.rejected["too_costly"] == 9
    assert 0 < loose < 9


def test_sound_msgpack_needs_none_of_it() -> None:
    """An application that writes msgpack loses nothing to whoever uses the budget up."""
    now, found = [100.0], list[Event]()
    decoder = decoding.Decoder(budget=time_budget.CpuBudget(lambda: now[0]))
    decoder._budget._left = -1.0  # noqa: SLF001 -- used up
    body = msgspec.msgpack.encode(published.started(3))
    assert decoder.body(body, found, content_type=decoding.MSGPACK) is False
    enveloped = published.envelope(body, **{"content-type": decoding.MSGPACK})
    assert decoder.envelope(enveloped, found) is False
    assert (len(found), decoder.rejected["too_costly"]) == (6, 0)
