"""A counter that is new is 0 first, so that ``increase()`` sees its first step, and only then."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from celery_sentinel.metrics import catalogue, exposition, samples, text_format
from tests.unit.metrics import parsing

if TYPE_CHECKING:
    from collections.abc import Sequence

HOLD = 15.0
FAILED = catalogue.TASK_FAILED
WAIT = catalogue.TASK_QUEUE_WAIT
A = ("a", "q", "KeyError", "code")


class Scrapes:
    """An exposition with a clock of its own, scraped on demand."""

    def __init__(self, hold: float = HOLD) -> None:
        self.now = 100.0
        self.families: Sequence[samples.Family] = ()
        self._exposition = exposition.Exposition(
            lambda: self.families,
            extra=lambda _: "",
            hold=hold,
            monotonic=lambda: self.now,
            wall=lambda: 1e9 + self.now,
        )

    def keep_in(self, kept: list[bytes]) -> None:
        """Remember what counts as shown."""
        self._exposition.keep = kept.append

    def failed(self, **counts: int) -> dict[str, float]:
        """Scrape failures by task name, and return them as shown."""
        return self.failed_in(counts, as_openmetrics=False)

    def counted(self, metric: catalogue.Metric, **counts: int) -> dict[str, float]:
        """Scrape a counter of one label, and return it as shown."""
        self.families = [samples.family(metric, [((a,), n) for a, n in counts.items()])]
        return {key[1]: value for key, value in self.scrape().items() if key[0] == metric.name}

    def failed_in(self, counts: dict[str, int], *, as_openmetrics: bool) -> dict[str, float]:
        """Do the same in one of the formats."""
        children = [((name, *A[1:]), count) for name, count in counts.items()]
        self.families = [samples.family(FAILED, children)]
        found = self.scrape(as_openmetrics=as_openmetrics)
        # Labels come sorted by their names: category, exception, name, queue_name.
        return {key[3]: value for key, value in found.items() if key[0] == FAILED.name}

    def scrape(
        self, *, as_openmetrics: bool = False, unheld: bool = False
    ) -> dict[tuple[str, ...], float]:
        """Scrape whatever the families are."""
        text = self._exposition.render(openmetrics=as_openmetrics, unheld=unheld).decode()
        return parsing.values(text, as_openmetrics=as_openmetrics)


def test_given_a_new_child_then_it_is_zero_for_the_hold_and_then_its_value() -> None:
    """From its first scrape until the hold is over a new counter is 0, then what it is."""
    scrapes = Scrapes()
    seen = []
    for _ in range(5):
        seen.append(scrapes.failed(a=7)["a"])
        scrapes.now += 5
    assert seen == [0, 0, 0, 7, 7]


def test_given_scrapes_far_apart_then_the_first_is_zero_and_the_next_is_not() -> None:
    """One scrape of 0 is enough where the interval is longer than the hold."""
    scrapes = Scrapes()
    first = scrapes.failed(a=1)
    scrapes.now += 60
    assert (first, scrapes.failed(a=1)) == ({"a": 0}, {"a": 1})


def test_given_no_hold_then_a_new_child_has_its_value_at_once() -> None:
    """A hold of 0 turns the rule off."""
    assert Scrapes(hold=0.0).failed(a=7) == {"a": 7}


def test_given_a_ripe_child_then_it_is_never_zero_again() -> None:
    """A counter that has shown its value does not fall."""
    scrapes = Scrapes()
    scrapes.failed(a=1)
    for count in range(1, 50):
        scrapes.now += HOLD
        assert scrapes.failed(a=count) == {"a": count}


def test_given_formats_that_alternate_then_a_child_is_born_once() -> None:
    """Scrapers that ask for different formats see one and the same life."""
    scrapes = Scrapes()
    seen = []
    for scrape in range(6):
        seen.append(scrapes.failed_in({"a": 3}, as_openmetrics=scrape % 2 == 1)["a"])
        scrapes.now += 5
    assert seen == [0, 0, 0, 3, 3, 3]


def test_given_a_later_child_then_it_is_held_from_its_own_first_scrape() -> None:
    """Each child is born for itself."""
    scrapes = Scrapes()
    scrapes.failed(a=1)
    scrapes.now += HOLD
    assert scrapes.failed(a=1, b=1) == {"a": 1, "b": 0}
    scrapes.now += HOLD
    assert scrapes.failed(a=1, b=1) == {"a": 1, "b": 1}


def test_given_a_child_that_goes_and_returns_then_it_is_not_born_again() -> None:
    """A worker that was unheard comes back with its counter, which had not been reset."""
    scrapes = Scrapes()
    restarts = catalogue.WORKER_RESTARTS
    scrapes.counted(restarts, a=5, b=5)
    scrapes.now += HOLD
    scrapes.counted(restarts, a=5, b=5)
    scrapes.now += HOLD
    assert scrapes.counted(restarts, b=5) == {"b": 5}
    scrapes.now += HOLD
    assert scrapes.counted(restarts, a=6, b=5) == {"a": 6, "b": 5}


@pytest.mark.parametrize("others", [{"b": 5}, {}])
def test_given_a_task_that_made_room_and_returns_then_it_is_born_again(
    others: dict[str, int],
) -> None:
    """Its counter has begun at 0 again: what it counts since is an increase from there."""
    scrapes = Scrapes()
    scrapes.failed(a=5, **others)
    scrapes.now += HOLD
    assert scrapes.failed(a=5, **others) == {"a": 5, **others}
    scrapes.now += HOLD
    assert scrapes.failed(**others) == others
    scrapes.now += HOLD
    assert scrapes.failed(a=1, **others) == {"a": 0, **others}
    scrapes.now += HOLD
    assert scrapes.failed(a=1, **others) == {"a": 1, **others}


def test_given_children_that_come_and_go_then_those_that_stay_are_never_zero_again() -> None:
    """However many others vanish, and are forgotten, the ones that are there keep their life."""
    scrapes = Scrapes()
    scrapes.failed(stays=1)
    scrapes.now += HOLD
    for n in range(3 * text_format.REMEMBERED):
        shown = scrapes.failed(**{"stays": n + 1, f"n{n}": 1})
        assert shown == {"stays": n + 1, f"n{n}": 0}


def test_given_many_children_that_have_gone_then_they_are_forgotten() -> None:
    """What is remembered of the dead is bounded: one that comes back very late is born again."""
    scrapes = Scrapes()
    scrapes.failed(a=5)
    scrapes.now += HOLD
    for n in range(2 * text_format.REMEMBERED):
        scrapes.failed(**{f"n{n}": 1})
    assert scrapes.failed(a=5) == {"a": 0}


@pytest.mark.parametrize("as_openmetrics", [False, True])
def test_given_a_new_histogram_then_all_of_it_is_zero_for_the_hold(as_openmetrics: bool) -> None:
    """Buckets, count and sum of a histogram are born as 0 together, and ripen together."""
    scrapes = Scrapes()
    spread = samples.Distribution((1.0,), [2, 3], 40.0)
    scrapes.families = [samples.family(WAIT, [(("a", "q"), spread)])]
    shown = []
    for _ in range(2):
        found = scrapes.scrape(as_openmetrics=as_openmetrics)
        shown.append([value for key, value in found.items() if not key[0].endswith("_created")])
        scrapes.now += HOLD
    assert [sorted(values) for values in shown] == [[0, 0, 0, 0], [2, 5, 5, 40]]


def test_given_a_gauge_or_a_count_from_before_us_then_it_has_its_value_at_once() -> None:
    """Only counters that begin with us begin at 0."""
    scrapes = Scrapes()
    scrapes.families = [
        samples.family(catalogue.WORKER_TASKS_PROCESSED, [(("w",), 10**6)]),
        samples.single(catalogue.TRACKER_TASKS, 5),
    ]
    assert set(scrapes.scrape().values()) == {10**6, 5}


def test_given_a_new_child_then_its_creation_is_its_first_scrape() -> None:
    """``_created`` is when the counter was first exposed, also once it has its value."""
    scrapes = Scrapes()
    scrapes.failed(a=1)
    born = 1e9 + scrapes.now
    scrapes.now += HOLD
    scrapes.failed(a=1)
    found = scrapes.scrape(as_openmetrics=True)
    assert [v for k, v in found.items() if k[0] == "celery_task_failed_created"] == [born]


def test_given_a_person_who_looks_then_the_value_is_shown_and_no_hold_begins() -> None:
    """A look before, during and after the hold shows what is; the scraper sees its 0 all the same.

    Nor does a look end a hold early, and what is shown to people is not kept as shown.
    """
    scrapes = Scrapes()
    kept: list[bytes] = []
    scrapes.keep_in(kept)

    def looked(**counts: int) -> float:
        scrapes.families = [
            samples.family(FAILED, [((name, *A[1:]), count) for name, count in counts.items()])
        ]
        (value,) = [
            value for key, value in scrapes.scrape(unheld=True).items() if key[0] == FAILED.name
        ]
        return value

    assert looked(a=7) == 7
    scrapes.now += 60
    assert looked(a=8) == 8
    assert kept == []
    assert scrapes.failed(a=8) == {"a": 0}
    scrapes.now += 5
    assert looked(a=9) == 9
    assert scrapes.failed(a=9) == {"a": 0}
    scrapes.now += HOLD
    assert looked(a=9) == 9
    assert scrapes.failed(a=9) == {"a": 9}
    assert len(kept) == 3


def test_given_a_person_who_looks_at_a_histogram_then_it_is_full() -> None:
    """Buckets, count and sum are what they are."""
    scrapes = Scrapes()
    waits = samples.Distribution((1.0,), [2, 1], 5.0)
    scrapes.families = [samples.family(WAIT, [(A[:2], waits)])]
    looked = scrapes.scrape(unheld=True)
    assert {value for key, value in looked.items() if key[0].endswith("_count")} == {3}
    held = scrapes.scrape()
    assert {value for key, value in held.items() if key[0].endswith("_count")} == {0}
