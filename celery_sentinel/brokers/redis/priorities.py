"""The priorities for which kombu keeps a list of each queue, whether or not we were told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from celery_sentinel import errors

if TYPE_CHECKING:
    from collections.abc import Mapping

# kombu's default for its transport option priority_steps. Its priorities are 0 to 9, so ALL are all
# lists that any other steps could make.
DEFAULT = (0, 3, 6, 9)
ALL = tuple(range(10))
ALL_EACH = 60.0  # seconds between two looks at all, where nobody said which the application has


class Priorities:
    """Which to read with the next poll: ``now_read``; and which to show: ``used``.

    Those that the option names, or kombu's four. Without the option others that are in use are
    found within a minute, and read with each poll from then on.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._configured = bool(options.get("priority_steps"))
        self._all_at = 0.0  # when to look at all (monotonic)
        self.now_read = _steps(options)
        self.used = set(self.now_read)

    def choose(self) -> None:
        """Choose what to read now."""
        now = time.monotonic()
        if self._configured:
            return
        if now >= self._all_at:
            self.now_read, self._all_at = ALL, now + ALL_EACH
        else:
            self.now_read = tuple(sorted(self.used))

    def note(self, counted: Mapping[int, int]) -> None:
        """Note the lengths of a queue's lists, by priority."""
        self.used.update(step for step, found in counted.items() if found)


def _steps(options: Mapping[str, Any]) -> tuple[int, ...]:
    """Return kombu's ``priority_steps``; raises ``errors.ConfigError`` for what are none."""
    steps = options.get("priority_steps") or DEFAULT
    if not isinstance(steps, list | tuple) or not all(type(step) is int for step in steps):
        raise errors.ConfigError(
            f"broker.transport_options: priority_steps is {steps!r}; give a list of whole "
            f"numbers in ascending order, such as {list(DEFAULT)}"
        )
    return tuple(steps)
