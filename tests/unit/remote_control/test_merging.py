"""What several processes of one name answer is put together, and told from one that answers."""

from __future__ import annotations

import msgspec

from celery_sentinel.remote_control import replies


def stats(pid: int, slots: int | None) -> replies.Answer:
    """Return the stats of a process, as they are read."""
    pool = {} if slots is None else {"max-concurrency": slots}
    body = msgspec.json.encode({"w1@host": {"pid": pid, "pool": pool}})
    return replies.read("stats", "application/json", body)


def test_one_process_is_one_answer() -> None:
    """Its slots are its own."""
    (found,) = replies.merge([stats(7, 2)])
    assert (found.answers, found.concurrency) == (1, 2)


def test_namesakes_have_the_slots_of_both() -> None:
    """Two workers with one name can run what both can."""
    (found,) = replies.merge([stats(7, 2), stats(8, 3)])
    assert (found.answers, found.concurrency, found.pool_size) == (2, 5, 5)


def test_slots_of_namesakes_are_unknown_where_one_does_not_tell() -> None:
    """A part is no sum."""
    (found,) = replies.merge([stats(7, 2), stats(8, None)])
    assert (found.answers, found.concurrency) == (2, None)
