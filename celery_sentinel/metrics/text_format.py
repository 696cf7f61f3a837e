"""One metric's children as text: what does not change is kept, and new counters are born as 0."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from celery_sentinel.metrics import samples

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from celery_sentinel.metrics import catalogue, previous_exposition

CHUNK = 512  # children rendered between two chances for another thread to run
# Children that are gone are remembered up to one for each that is there and so many more: one
# that comes back, as a worker's does after a break of the stream, is not born as 0 again. Those of
# tasks go only when they make room for others; what comes back then has begun at 0.
REMEMBERED = 1024
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})  # OpenMetrics wants quotes too


def number(value: float) -> str:
    """Return a value as both formats write it."""
    text = str(value) if isinstance(value, int) else repr(value)
    return _SPECIAL.get(text, text)


def label_pairs(names: Sequence[str], values: Sequence[str]) -> str:
    """Return ``name="value"`` pairs, escaped, without braces."""
    return ",".join(
        f'{name}="{value.translate(_ESCAPES)}"' for name, value in zip(names, values, strict=True)
    )


class _Child:
    """The unchanging text of one child, and since when it has been exposed.

    ``text`` is its labels, in a histogram without braces, else with braces and the name.
    ``born`` is epoch seconds; until ``ripe`` (monotonic) the child is shown as 0. ``floor`` is
    what was shown of it before a restart, where it must not show less: one number for each
    sample, or none.
    """

    __slots__ = ("born", "floor", "ripe", "text")

    def __init__(self, text: str, born: float, ripe: float) -> None:
        self.text = text
        self.born = born
        self.ripe = ripe
        self.floor: list[float] | None = None


class FamilyText:
    """Renders the children of one metric; keeps their text while they live, and then some."""

    def __init__(self, metric: catalogue.Metric, labels: tuple[str, ...]) -> None:
        self.metric = metric
        self.labels = labels
        self._children: dict[tuple[str, ...], _Child] = {}
        self._templates: dict[tuple[float, ...], str] = {}  # as many as the configuration has
        self.plain_head = (
            f"# HELP {metric.name} {metric.help.translate(_HELP_ESCAPES)}\n"
            f"# TYPE {metric.name} {metric.type}\n"
        )
        self.openmetrics_head = (
            f"# HELP {metric.family} {metric.help.translate(_ESCAPES)}\n"
            f"# TYPE {metric.family} {metric.type}\n"
            + (f"# UNIT {metric.family} {metric.unit}\n" if metric.unit else "")
        )
        self._render = self._histogram if metric.type == "histogram" else self._plain

    def render(
        self,
        children: Sequence[tuple[tuple[str, ...], float | samples.Distribution]],
        moment: Moment,
        *,
        openmetrics: bool,
    ) -> Iterable[bytes]:
        """Yield the family's text, header first.

        Encoded in portions: one character beyond ASCII makes the string around it wider.
        """
        yield (self.openmetrics_head if openmetrics else self.plain_head).encode()
        for start in range(0, len(children), CHUNK):
            part = children[start : start + CHUNK]
            yield "".join(self._render(part, moment, openmetrics)).encode()  # type: ignore[arg-type]
        most = len(children) if self.metric.group == "tasks" else 2 * len(children) + REMEMBERED
        if not moment.unheld and len(self._children) > most:
            alive = {labels for labels, _ in children}
            self._children = {k: child for k, child in self._children.items() if k in alive}

    def _plain(
        self,
        children: Sequence[tuple[tuple[str, ...], float]],
        moment: Moment,
        openmetrics: bool,
    ) -> list[str]:
        known = self._children
        lines = []
        created = openmetrics and self.metric.type == "counter"
        name, braces = self.metric.family, len(self.metric.name)
        for labels, value in children:
            child = known.get(labels) or self._make(labels, moment)
            if child.ripe and not moment.unheld:
                value = self._ripen(child, value, 0, moment)  # type: ignore[assignment]  # noqa: PLW2901
            if child.floor is not None:
                (value,) = _raised(child, [value])  # noqa: PLW2901
            lines.append(
                f"{child.text}{value}\n"
                if value.__class__ is int
                else f"{child.text}{number(value)}\n"
            )
            if created:
                lines.append(f"{name}_created{child.text[braces:]}{child.born}\n")
        return lines

    def _histogram(
        self,
        children: Sequence[tuple[tuple[str, ...], samples.Distribution]],
        moment: Moment,
        openmetrics: bool,
    ) -> list[str]:
        known = self._children
        texts = []
        name = self.metric.name
        for labels, distribution in children:
            child = known.get(labels) or self._make(labels, moment, distribution.bounds)
            counts, total = distribution.counts, distribution.sum
            if child.ripe and not moment.unheld:
                empty = samples.Distribution(distribution.bounds, [0] * len(counts), 0.0)
                shown = self._ripen(child, distribution, empty, moment)
                counts, total = shown.counts, shown.sum  # type: ignore[union-attr]
            cumulated: list[float] = [*accumulate(counts)]
            cumulated.append(cumulated[-1])
            if child.floor is not None:
                *cumulated, total = _raised(child, [*cumulated, total])
            texts.append(self._lines(child, distribution.bounds, [*cumulated, number(total)]))
            if openmetrics:
                braced = "{" + child.text + "}" if child.text else ""
                texts.append(f"{name}_created{braced} {child.born}\n")
        return texts

    @staticmethod
    def _ripen(
        child: _Child,
        value: float | samples.Distribution,
        zero: float | samples.Distribution,
        moment: Moment,
    ) -> float | samples.Distribution:
        if moment.now < child.ripe:
            return zero
        child.ripe = 0.0
        return value

    def _make(
        self, labels: tuple[str, ...], moment: Moment, bounds: tuple[float, ...] = ()
    ) -> _Child:
        metric = self.metric
        text = label_pairs(self.labels, labels)
        ripe = moment.now + moment.hold if metric.zero_born and moment.hold else 0.0
        if metric.type != "histogram":
            text = f"{metric.name}{{{text}}} " if text else f"{metric.name} "
        child = _Child(text, moment.wall, ripe)
        if moment.unheld:
            return child  # not remembered: it has not been scraped yet
        self._children[labels] = child
        if moment.before is not None and metric.type != "gauge":
            self._recall(child, bounds, moment.before)
        return child

    def _recall(
        self,
        child: _Child,
        bounds: tuple[float, ...],
        before: previous_exposition.PreviousExposition,
    ) -> None:
        """Give a child that was shown before a restart what it had: it is not born again."""
        metric = self.metric
        if metric.type == "histogram":
            lines = self._lines(child, bounds, [0] * (len(bounds) + 3))[:-1].split("\n")
            created = f"{metric.name}_created" + (f"{{{child.text}}}" if child.text else "")
        else:
            lines = [child.text]
            created = f"{metric.family}_created{child.text[len(metric.name) : -1]}"
        floor = before.take([line.rpartition(" ")[0] for line in lines])
        if floor is not None:
            child.born = before.created(created)
            child.floor, child.ripe = floor, 0.0

    def _lines(self, child: _Child, bounds: tuple[float, ...], values: Sequence[object]) -> str:
        """Return the lines of a histogram: cumulated counts, their total, and the sum."""
        parts: list[object] = [child.text] * (2 * len(values))
        parts[1::2] = values
        return (self._templates.get(bounds) or self._template(bounds)) % tuple(parts)

    def _template(self, bounds: tuple[float, ...]) -> str:
        """Return the text of a histogram with a ``%s`` for its labels and its value in each line.

        One template serves all children: with its own, each would take 2 kB.
        """
        name = self.metric.name
        more, braced = ("{%s,", "{%s}") if self.labels else ("%s{", "%s")
        limits = [*map(number, map(float, bounds)), "+Inf"]
        lines = [f'{name}_bucket{more}le="{limit}"}} %d\n' for limit in limits]
        template = "".join(lines) + f"{name}_count{braced} %d\n{name}_sum{braced} %s\n"
        self._templates[bounds] = template
        return template


def _raised(child: _Child, values: list[float]) -> list[float]:
    """Return what to show: nothing less than before the restart; forget that once it is passed."""
    raised = [*map(max, values, child.floor or values)]
    if raised == values:
        child.floor = None
    return raised


class Moment:
    """The time of one exposition: epoch and monotonic seconds, and the zero-born hold.

    ``before`` is what was shown before a restart. An ``unheld`` exposition shows values as they
    are, and nothing in it counts as shown.
    """

    __slots__ = ("before", "hold", "now", "unheld", "wall")

    def __init__(
        self,
        wall: float,
        now: float,
        hold: float,
        before: previous_exposition.PreviousExposition | None,
        *,
        unheld: bool = False,
    ) -> None:
        self.wall = wall
        self.now = now
        self.hold = hold
        self.before = before
        self.unheld = unheld
