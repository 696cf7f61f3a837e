"""Fragments of PromQL: the matchers of the variables, and a pair folded into one.

Recorded series are folded already. Whatever else is read goes through ``folded``, ``rate`` or
``increase`` before it is summed, so that a pair of celery-sentinels counts nothing twice.
"""

from __future__ import annotations

NAME = 'name=~"$name"'
QUEUE = 'queue_name=~"$queue_name"'
HOST = 'hostname=~"$hostname"'
RATE = "$__rate_interval"
WHOLE = "$__range"

_JOB = 'job=~"$job"'
_INSTANCE = 'instance=~"$instance"'


def recorded(name: str, *matchers: str) -> str:
    """Select a recorded series, which knows no instance."""
    return f"{name}{{{', '.join((_JOB, *matchers))}}}"


def raw(name: str, *matchers: str) -> str:
    """Select what celery-sentinels expose, each for itself."""
    return f"{name}{{{', '.join((_JOB, _INSTANCE, *matchers))}}}"


def folded(name: str, *matchers: str, by: str = "max") -> str:
    """Select a gauge; of a pair the greatest counts, or the least with ``by="min"``."""
    return f"{by} without (instance, pod) ({raw(name, *matchers)})"


def rate(name: str, *matchers: str) -> str:
    """Return how much a counter grows a second; of a pair the one that saw more counts."""
    return f"max without (instance, pod) (rate({raw(name, *matchers)}[{RATE}]))"


def increase(name: str, *matchers: str, over: str = RATE) -> str:
    """Return by how much a counter grew; of a pair the one that saw more counts."""
    return f"max without (instance, pod) (increase({raw(name, *matchers)}[{over}]))"


def per_minute(name: str, *matchers: str) -> str:
    """Return how much a counter grows a minute, whatever stretch of time is shown."""
    return f"60 * {rate(name, *matchers)}"


def smooth(expression: str) -> str:
    """Return the mean of a gauge that is seen only now and then."""
    return f"avg_over_time({expression}[{RATE}])"


def smooth_folded(name: str, *matchers: str) -> str:
    """Return the mean of a gauge; of a pair the greater counts."""
    return f"max without (instance, pod) ({smooth(raw(name, *matchers))})"


def share(part: str, rest: str) -> str:
    """Return which share of both ``part`` is; either may be absent for want of a single one."""
    some, others = f"({part} or 0 * {rest})", f"({rest} or 0 * {part})"
    return known(f"{some} / ({some} + {others})")


def by(how: str, labels: str, expression: str) -> str:
    """Aggregate to ``labels``, a list with commas; without any, to one number."""
    return f"{how} by ({labels}) ({expression})" if labels else f"{how}({expression})"


def over(measured: str, objectives: str, label: str) -> str:
    """Return what is beyond the strictest of its objectives, by job and ``label``."""
    return _compared(measured, ">", objectives, label)


def below(measured: str, least: str, label: str) -> str:
    """Return what is less than it should be to count, by job and ``label``."""
    return f"({_compared(measured, '<', least, label)})"


def used(measured: str, objectives: str, label: str) -> str:
    """Return how much of the strictest of its objectives is used up, by job and ``label``."""
    return _compared(measured, "/", objectives, label)


def _compared(measured: str, operator: str, objectives: str, label: str) -> str:
    kept = f"job, {label}"
    return f"{by('max', kept, measured)} {operator} on ({kept}) {by('min', kept, objectives)}"


def age(timestamp: str) -> str:
    """Return how long ago a timestamp was, in seconds."""
    return f"time() - {timestamp}"


def known(expression: str) -> str:
    """Leave out NaN: a share of nothing, or a quantile without a run."""
    return f"{expression} >= 0"


def quantile(share: float, labels: str, metric: str, *matchers: str) -> str:
    """Return a quantile of a histogram, by ``labels``."""
    buckets = rate(f"{metric}_bucket", *matchers)
    kept = f"le, {labels}" if labels else "le"
    return known(f"histogram_quantile({share}, sum by ({kept}) ({buckets}))")


def buckets(metric: str, *matchers: str) -> str:
    """Return the runs in each bucket of a histogram, for a heatmap."""
    return f"sum by (le) ({increase(f'{metric}_bucket', *matchers)})"
