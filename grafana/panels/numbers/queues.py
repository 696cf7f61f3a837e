"""The numbers about queues: what waits, since when, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana.kit import charts, links, promql, style

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat

_LENGTH = "job_queue_name:celery_queue_length:max"
_OLDEST = "job_queue_name:celery_queue_oldest_message_timestamp_seconds:min"
_WAIT = "job_queue_name:celery_task_queue_wait_seconds:p95_rate5m"
_WORKERS = "job_queue_name:celery_queue_workers:max"
_AGE_WANTED = "job_queue_name_severity:celery_queue_objective_age_seconds:max"
_LENGTH_WANTED = "job_queue_name_severity:celery_queue_objective_length:max"
_DEAD = "job_queue_name:celery_queue_info:dead_letter"


def _age(*which: str) -> str:
    """Return the age of the oldest message of each queue; 0 where nothing waits."""
    oldest = promql.age(promql.recorded(_OLDEST, *which))
    empty = f"{promql.recorded(_LENGTH, *which)} == 0"
    return f"({oldest}) or ({empty})"


def _dead(*which: str) -> str:
    return promql.recorded(_DEAD, *which)


def oldest(*which: str) -> stat.Panel:
    """Show the age of the oldest message of all."""
    return charts.number(
        "Oldest message",
        "For how long the message that has waited longest has been ready; 0 if nothing waits. "
        "This is what users feel: compare with the objective in the chart of ages.",
        promql.by("max", "", _age(*which)),
        unit="s",
        link=links.board("celery-queues"),
    )


def late(*which: str) -> stat.Panel:
    """Show how many queues are over an objective."""
    old = promql.over(_age(*which), promql.recorded(_AGE_WANTED, *which), "queue_name")
    length = promql.recorded(_LENGTH, *which)
    long = promql.over(length, promql.recorded(_LENGTH_WANTED, *which), "queue_name")
    none = f"0 * {promql.by('count', '', length)}"
    return charts.number(
        "Queues late",
        "Queues that are older or longer than the strictest of their objectives allows. Above 0 "
        "users wait too long: the charts say which queue, CeleryQueueTooOld what to do.",
        f"count({old} or {long}) or {none}",
        unit="short",
        steps=style.NONE_IS_GOOD,
        link=links.board("celery-queues"),
    )


def wait(*which: str) -> stat.Panel:
    """Show the worst 95th percentile of the waits."""
    return charts.number(
        "Wait, p95",
        "19 of 20 runs of the last 5 minutes were started sooner, in the slowest queue. Long waits "
        "and idle workers: tasks are held by prefetching, or routed to the wrong queue.",
        promql.by("max", "", promql.known(promql.recorded(_WAIT, *which))),
        unit="s",
        link=links.board("celery-queues"),
    )


def consumers(*which: str) -> stat.Panel:
    """Show the least number of workers of any queue."""
    return charts.number(
        "Fewest workers",
        "Workers of the queue that has fewest. 0: nobody will take its messages, see the runbook "
        "of CeleryQueueNoConsumers.",
        promql.by("min", "", f"{promql.recorded(_WORKERS, *which)} unless {_dead(*which)}"),
        unit="short",
        steps=style.ALL_IS_GOOD,
        link=links.runbook("CeleryQueueNoConsumers"),
    )


def dead_letters(*which: str) -> stat.Panel:
    """Show how many messages lie in dead letter queues."""
    there = f"{promql.recorded(_LENGTH, *which)} and {_dead(*which)}"
    none = f"0 * {promql.by('sum', '', promql.recorded(_LENGTH, *which))}"
    return charts.number(
        "Dead letters",
        "Messages in the queues that queues.dead_letter of the config names. Each was refused by "
        "something: read them before you put them back, see the runbook of CeleryDeadLetters.",
        f"{promql.by('sum', '', there)} or {none}",
        unit="short",
        steps=style.SOME_IS_WORTH_A_LOOK,
        link=links.runbook("CeleryDeadLetters"),
    )


def round_trip() -> stat.Panel:
    """Show how fast the broker answers."""
    return charts.number(
        "Broker answers in",
        "Time the broker took for the smallest question there is. Milliseconds are usual; more is "
        "a broker or a network in trouble, and everything above waits for it.",
        promql.by("max", "", promql.folded("celery_broker_round_trip_seconds")),
        unit="s",
        steps=((None, style.GOOD), (0.1, style.WARNING), (1, style.BAD)),
    )
