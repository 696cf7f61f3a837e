"""What was shown before a restart: no counter may show less, and none is born twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_COUNTED = ("counter", "histogram")


class PreviousExposition:
    """The samples of counters and histograms in an exposition of an earlier process.

    ``body`` is in either text format, as exposition.py writes it; ``since`` (epoch seconds) is
    when their counting began at the latest, for those of which it does not say. Each sample can
    be taken once.
    """

    def __init__(self, body: bytes, since: float) -> None:
        self._since = since
        self._values: dict[str, float] = {}
        counted = False
        for line in body.decode("utf-8", "replace").split("\n"):
            if line.startswith("#"):
                if line.startswith("# TYPE "):
                    counted = line.endswith(_COUNTED)
            elif counted:
                sample, _, text = line.rpartition(" ")
                value = _number(text)
                if sample and value is not None:
                    self._values[sample] = value

    def __len__(self) -> int:
        return len(self._values)

    def take(self, samples: Sequence[str]) -> list[float] | None:
        """Return the values of these samples (name and labels); None unless all were shown."""
        found = [self._values.pop(sample, None) for sample in samples]
        values = [value for value in found if value is not None]
        return values if len(values) == len(samples) else None

    def created(self, sample: str) -> float:
        """Return since when a counter has been shown, by the ``_created`` sample it had."""
        return self._values.pop(sample, self._since)


def _number(text: str) -> float | None:
    """Return the value of a sample; None where it is no amount."""
    try:
        value = int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None
