"""How our own questions to broker, workers and result backend fared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from celery_sentinel import poll_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from celery_sentinel.telemetry import subscription

OF_THE_BROKER = ("queues", "workers")  # pollers whose failures are the broker's
# What makes a broker useless to Celery, whatever it is that we may do on it.
UNUSABLE = frozenset({"read_only", "out_of_memory", "misconfigured", "cluster", "blocked"})


class Poll:
    """The last run of one poller: duration in seconds, outcome, last success in epoch seconds.

    ``trouble`` is why it failed, None after a success; ``failures`` counts by reason.
    """

    __slots__ = ("duration", "failures", "last_success", "success", "trouble")

    def __init__(self) -> None:
        self.duration: float | None = None
        self.success: bool | None = None
        self.last_success: float | None = None
        self.trouble: poll_results.Trouble | None = None
        self.failures: Counter[str] = Counter(dict.fromkeys(poll_results.REASONS, 0))

    def note(self, *, duration: float, trouble: poll_results.Trouble | None, wall: float) -> None:
        """Note a run that has just ended."""
        self.duration = duration
        self.success = trouble is None
        self.trouble = trouble
        if trouble is None:
            self.last_success = wall
        else:
            self.failures[trouble.reason] += 1


def troubles(
    connection: subscription.Subscription,
    polls: Mapping[str, Poll],
    condition: poll_results.BrokerCondition | None,
) -> tuple[poll_results.Trouble, ...]:
    """Return what is wrong with the broker now, each reason once; call with the model's lock held.

    What the event stream met comes first, then what the broker tells of itself, then what
    polls were refused with.
    """
    found: dict[str, poll_results.Trouble] = {}
    for one in _all(connection, polls, condition):
        found.setdefault(one.reason, one)
    return tuple(found.values())


def _all(
    connection: subscription.Subscription,
    polls: Mapping[str, Poll],
    condition: poll_results.BrokerCondition | None,
) -> Iterator[poll_results.Trouble]:
    if not connection.up and connection.last_error is not None:
        yield poll_results.Trouble(reason=connection.last_reason, text=connection.last_error)
    if condition is not None:
        yield from condition.troubles
    for name in OF_THE_BROKER:
        poll = polls.get(name)
        if poll is not None and poll.trouble is not None:
            text = f"poll of {name}: {poll.trouble.text}"
            yield poll_results.Trouble(reason=poll.trouble.reason, text=text)
