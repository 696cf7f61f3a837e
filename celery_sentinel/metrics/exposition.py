"""What Prometheus scrapes: all families of the moment, as text."""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from typing import TYPE_CHECKING

from celery_sentinel.metrics import samples, text_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from celery_sentinel.metrics import catalogue, previous_exposition


class Exposition:
    """Collects and renders, one scrape at a time; what a scrape needs from us and no more.

    ``collect`` returns the families of the moment. ``extra`` returns text that another library
    renders, given the format (process and interpreter metrics). ``monotonic`` and ``wall`` are
    clocks, in seconds. ``before`` is what was shown before a restart, if that is known; ``keep``
    is given each body before anybody sees it.
    """

    def __init__(
        self,
        collect: Callable[[], Iterable[samples.Family]],
        *,
        extra: Callable[[bool], str],
        hold: float,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.hold = hold
        self.before: previous_exposition.PreviousExposition | None = None
        self.keep: Callable[[bytes], None] | None = None
        self.series = 0
        self.duration = 0.0
        self._collect = collect
        self._extra = extra
        self._monotonic = monotonic
        self._wall = wall
        self._lock = threading.Lock()
        self._families: dict[tuple[catalogue.Metric, tuple[str, ...]], text_format.FamilyText] = {}

    def render(self, *, openmetrics: bool, unheld: bool = False) -> bytes:
        """Return a whole exposition, encoded. Thread-safe.

        An ``unheld`` one is for people: new counters show their value, and begin no hold.
        """
        with self._lock, _uncollected():
            begun = time.perf_counter()
            moment = text_format.Moment(
                self._wall(), self._monotonic(), self.hold, self.before, unheld=unheld
            )
            body, series = self._rendered(moment, openmetrics=openmetrics)
            if not unheld:
                if self.keep is not None:
                    self.keep(body)
                self.series = series
                self.duration = time.perf_counter() - begun
            return body

    def _rendered(self, moment: text_format.Moment, *, openmetrics: bool) -> tuple[bytes, int]:
        """Return the text and how many samples are in it."""
        parts: list[bytes] = []
        series = 0
        for family in self._collect():
            if family.children:
                text = self._text_of(family)
                parts.extend(text.render(family.children, moment, openmetrics=openmetrics))
                series += _count(family)
            elif family.metric.group == "tasks":  # all have made room; they will be born again
                self._families.pop((family.metric, family.labels), None)
        parts.append(self._extra(openmetrics).encode())
        if openmetrics:
            parts.append(b"# EOF\n")
        return b"".join(parts), series

    def _text_of(self, family: samples.Family) -> text_format.FamilyText:
        key = (family.metric, family.labels)
        text = self._families.get(key)
        if text is None:
            text = self._families[key] = text_format.FamilyText(*key)
        return text


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector out: nothing made here is in a cycle, and it stops all threads.

    Tens of thousands of new tuples would set it off several times in each large scrape, once
    perhaps with the model's lock held.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _count(family: samples.Family) -> int:
    """Return how many samples a family has; all its histograms have one shape or sum up."""
    return sum(
        len(value.counts) + 2 if isinstance(value, samples.Distribution) else 1
        for _, value in family.children
    )
