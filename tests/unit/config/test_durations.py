"""How durations are written and read."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from celery_sentinel.config import durations


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *[("15s", 15), ("5m", 300), ("24h", 86_400), ("7d", 604_800), ("1.5h", 5400), ("0s", 0)],
        *[(0, 0), (2.5, 2.5), (3650 * 86_400, 3650 * 86_400)],
    ],
)
def test_durations_are_read(value: object, seconds: float) -> None:
    """Numbers are seconds; a unit multiplies."""
    assert durations.parse(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *["", "5", "5 m", "m", "5M", "-5s", "1h30m", "1e3s", "٣s", "4000d", "99999999999999d"],
        *[-1, -0.5, float("nan"), float("inf"), 10**400, 3651 * 86_400, True, None, [], {}],
    ],
)
def test_what_is_no_duration_is_refused(value: object) -> None:
    """Everything else is refused in words that say what is allowed."""
    with pytest.raises(ValueError, match="such as 15s, 5m, 24h or 7d"):
        durations.parse(value)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *[(0, "0s"), (15, "15s"), (90, "90s"), (3600, "1h"), (5400, "90m"), (86_400, "1d")],
        *[(0.5, "0.5s"), (90_000, "25h")],
    ],
)
def test_durations_are_written_the_way_people_do(seconds: float, text: str) -> None:
    """The largest unit without a remainder is used."""
    assert str(durations.Seconds(seconds)) == text


@hypothesis.given(strategies.integers(min_value=0, max_value=3650 * 86_400_000))
def test_what_is_written_reads_back(milliseconds: int) -> None:
    """A printed config means what it was printed from."""
    seconds = durations.Seconds(milliseconds / 1000)
    assert durations.parse(str(seconds)) == pytest.approx(seconds, abs=1e-6)
