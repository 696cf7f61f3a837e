"""The values of objectives: a limit, a limit for each severity, or ``off``; each with its unit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, get_args

from celery_sentinel.config import durations

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["warning", "critical"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
OFF = "off"
_MOST = 10**12


class Threshold:
    """What a rule says of one key; ``written`` is what the file says.

    ``lower_is_worse`` tells a least number from a limit. A kind that is not ``graded`` has one
    value whatever the severity.
    """

    __slots__ = ("written",)
    ALLOWED: ClassVar[str]
    lower_is_worse: ClassVar[bool] = False
    graded: ClassVar[bool] = True

    def __init__(self, written: object) -> None:
        self.written = written

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.written == self.written

    def __hash__(self) -> int:
        return hash((type(self), repr(self.written)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.written!r})"

    @classmethod
    def parse(cls, written: object) -> Self:
        """Return the threshold that ``written`` names; raise ValueError when it names none."""
        if isinstance(written, dict):
            if not cls.graded or not written or not set(written) <= set(SEVERITIES):
                raise ValueError(cls.allowed())
            values = list(written.values())
        else:
            values = [written]
        for value in values:
            if value != OFF:
                cls.number(value)
        return cls(written)

    @classmethod
    def allowed(cls) -> str:
        """Say what a value may be."""
        graded = f", or a mapping of {' and '.join(SEVERITIES)} to such" if cls.graded else ""
        return f"{cls.ALLOWED}, {OFF}{graded}"

    @classmethod
    def number(cls, value: Any) -> float:
        """Return a single value in its base unit; raise ValueError when it is out of range."""
        raise NotImplementedError

    def limits(self, severity: str) -> Mapping[str, float]:
        """Return the limit of each severity; ``severity`` is that of a plain value."""
        each = self.written if isinstance(self.written, dict) else {severity: self.written}
        return {name: self.number(value) for name, value in each.items() if value != OFF}


class Ratio(Threshold):
    """A share that must not be exceeded; 1 cannot be, so it is none."""

    __slots__ = ()
    ALLOWED = "a share from 0 to below 1 (5 % is 0.05)"

    @classmethod
    def number(cls, value: Any) -> float:
        """Return the share."""
        return _between(value, 0, 1, cls.ALLOWED)


class Budget(Threshold):
    """A share of runs that may fail in the long run; the divisor of a burn rate."""

    __slots__ = ()
    ALLOWED = "a share above 0 and below 1 (1 % is 0.01)"
    graded = False

    @classmethod
    def number(cls, value: Any) -> float:
        """Return the share."""
        return _between(value or -1, 0, 1, cls.ALLOWED)


class Duration(Threshold):
    """Seconds that must not be exceeded."""

    __slots__ = ()
    ALLOWED = (
        "a number of seconds, or a duration such as 15s, 5m, 24h or 7d; "
        f"longer than 0, at most {durations.LONGEST_DAYS}d"
    )

    @classmethod
    def number(cls, value: Any) -> float:
        """Return the seconds."""
        return float(durations.parse(value or -1.0)) or _refuse(cls.ALLOWED)


class Length(Threshold):
    """Messages that must not be exceeded; 0 lets none wait."""

    __slots__ = ()
    ALLOWED = f"a whole number from 0 to {_MOST}"

    @classmethod
    def number(cls, value: Any) -> float:
        """Return the count."""
        return _whole(value, 0, cls.ALLOWED)


class Workers(Threshold):
    """Workers there must be."""

    __slots__ = ()
    ALLOWED = f"a whole number from 1 to {_MOST}"
    lower_is_worse = True

    @classmethod
    def number(cls, value: Any) -> float:
        """Return the count."""
        return _whole(value, 1, cls.ALLOWED)


class Runs(Threshold):
    """Runs there must be before a ratio says anything."""

    __slots__ = ()
    ALLOWED = f"a whole number from 1 to {_MOST}"
    graded = False

    @classmethod
    def number(cls, value: Any) -> float:
        """Return the count."""
        return _whole(value, 1, cls.ALLOWED)


def _between(value: Any, low: float, high: float, allowed: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value < high:
        raise ValueError(allowed)  # NaN is in no range
    return float(value)


def _whole(value: Any, low: int, allowed: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= _MOST:
        raise ValueError(allowed)
    return value


def _refuse(allowed: str) -> float:
    raise ValueError(allowed)
