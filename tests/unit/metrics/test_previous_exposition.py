"""Over a restart no counter shows less than it has shown, and none is born a second time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel.metrics import catalogue, exposition, previous_exposition, samples
from tests.unit.metrics import parsing

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLD = 15.0
SENT, WAIT, ACTIVE = catalogue.TASK_SENT, catalogue.TASK_QUEUE_WAIT, catalogue.WORKER_TASKS_ACTIVE
ODD = ('a "b"\\c\nd %d %% \u2028 e', "q 1")
BOUNDS = (1.0, 2.5)


def waits(*counts: int, total: float) -> samples.Family:
    """Return a histogram with these counts."""
    return samples.family(WAIT, [(ODD, samples.Distribution(BOUNDS, list(counts), total))])


class Process:
    """One process after the other, with the exposition of each; monotonic clocks begin anew."""

    def __init__(self, before: bytes | None = None, *, wall: float = 1e9) -> None:
        self.now = 5.0
        self.families: Sequence[samples.Family] = ()
        self.exposition = exposition.Exposition(
            lambda: self.families,
            extra=lambda _: "",
            hold=HOLD,
            monotonic=lambda: self.now,
            wall=lambda: wall + self.now,
        )
        if before is not None:
            self.exposition.before = previous_exposition.PreviousExposition(before, since=1e9)

    def render(self, *families: samples.Family, as_openmetrics: bool = False) -> bytes:
        """Return what is shown of some families."""
        self.families = families
        return self.exposition.render(openmetrics=as_openmetrics)

    def values(self, *families: samples.Family, as_openmetrics: bool = False) -> list[float]:
        """Return the values of all samples, in their order, but for the created ones."""
        text = self.render(*families, as_openmetrics=as_openmetrics).decode()
        found = parsing.values(text, as_openmetrics=as_openmetrics)
        return [value for key, value in found.items() if not key[0].endswith("_created")]


def matured(*families: samples.Family, as_openmetrics: bool = False) -> bytes:
    """Return an exposition of a process in which nothing is held back any more."""
    process = Process()
    process.render(*families)
    process.now += HOLD
    return process.render(*families, as_openmetrics=as_openmetrics)


formats = pytest.mark.parametrize("as_openmetrics", [False, True])


@formats
def test_given_a_lower_value_then_what_was_shown_stands_until_it_is_passed(
    as_openmetrics: bool,
) -> None:
    """A counter goes on from what it had shown, at once, whatever its labels hold."""
    before = matured(samples.family(SENT, [(ODD, 7)]), as_openmetrics=as_openmetrics)
    process = Process(before)
    seen = [process.values(samples.family(SENT, [(ODD, value)])) for value in (4, 6, 7, 9)]
    assert seen == [[7], [7], [7], [9]]


@formats
def test_given_a_lower_histogram_then_no_bucket_falls(as_openmetrics: bool) -> None:
    """Each bucket, the count and the sum stand until they are passed; they stay cumulative."""
    before = matured(waits(3, 2, 1, total=9.5), as_openmetrics=as_openmetrics)
    process = Process(before)
    assert process.values(waits(1, 1, 1, total=4.0), as_openmetrics=as_openmetrics) == [
        *(3, 5, 6),
        *(6, 9.5),
    ]
    assert process.values(waits(5, 0, 0, total=5.0)) == [5, 5, 6, 6, 9.5]
    assert process.values(waits(9, 2, 1, total=12.0)) == [9, 11, 12, 12, 12.0]


def test_given_a_new_child_then_it_is_born_as_ever() -> None:
    """What had not been shown before the restart is shown as 0 first."""
    process = Process(matured(samples.family(SENT, [(ODD, 7)])))
    new = samples.family(SENT, [(("new", "q"), 3)])
    assert process.values(new) == [0]
    process.now += HOLD
    assert process.values(new) == [3]


def test_given_a_child_shown_as_zero_then_it_is_not_held_again() -> None:
    """Its 0 was seen, so its value may follow."""
    held = Process().render(samples.family(SENT, [(ODD, 7)]))
    assert Process(held).values(samples.family(SENT, [(ODD, 7)])) == [7]


def test_given_a_gauge_then_it_may_fall() -> None:
    """Only counters and histograms keep what they had shown."""
    process = Process(matured(samples.family(ACTIVE, [(("w1@host",), 8)])))
    assert process.values(samples.family(ACTIVE, [(("w1@host",), 2)])) == [2]


def created(body: bytes) -> list[str]:
    """Return the created samples."""
    return [line for line in body.decode().split("\n") if "_created{" in line]


def test_given_openmetrics_then_a_counter_keeps_its_created_timestamp() -> None:
    """Another timestamp would be a reset to whoever reads it."""
    families = (samples.family(SENT, [(ODD, 7)]), waits(1, 1, 1, total=4.0))
    before = matured(*families, as_openmetrics=True)
    after = Process(before, wall=2e9).render(*families, as_openmetrics=True)
    assert created(after) == created(before)
    assert len(created(after)) == 2


def test_given_the_plain_format_then_created_is_the_beginning_of_all_counting() -> None:
    """Where the last scrape told no timestamp an earlier one is none that resets."""
    families = (samples.family(SENT, [(ODD, 7)]), waits(1, 1, 1, total=4.0))
    after = Process(matured(*families), wall=2e9).render(*families, as_openmetrics=True)
    assert {line.rpartition(" ")[2] for line in created(after)} == {"1000000000.0"}


def test_given_garbage_then_nothing_is_recalled() -> None:
    """Lines that are no samples, and values that are no amounts, are passed over."""
    body = b"# TYPE x counter\n\nx\nx{} abc\nx{a} NaN\nx{b} -1\nx{c} +Inf\n\xff 1\nno_space\n"
    assert len(previous_exposition.PreviousExposition(body, 0.0)) == 1
