"""The Celery app of the demo: a web shop that is busy, sometimes slow and sometimes broken.

What becomes of a task is told by its ``fate`` argument, so that the load generator decides how
much of everything the metrics show.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from celery import Celery, signals

from celery_sentinel.demo import parent_death

F = TypeVar("F", bound=Callable[..., None])

app = Celery("shop")
app.conf.update(
    task_default_queue="orders",
    task_routes={
        "shop.orders.*": "orders",
        "shop.carts.*": "orders",
        "shop.emails.*": "emails",
        "shop.reports.*": "reports",
        "shop.catalogue.*": "bulk",
    },
    task_send_sent_event=True,
    worker_send_task_events=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=2,
    broker_connection_retry_on_startup=True,
    beat_schedule={
        "the day is added up": {"task": "shop.reports.daily", "schedule": 60.0},
        "the index is renewed": {"task": "shop.catalogue.reindex", "schedule": 15.0},
    },
)

_dice = random.SystemRandom()


class OperationalError(Exception):
    """Stands for the error of the same name that database drivers raise."""


def _task(name: str, **options: Any) -> Callable[[F], F]:
    """Return Celery's own decorator, with the type that it lacks."""
    decorate: Callable[[F], F] = app.task(name=name, **options)
    return decorate


def _tie_the_pool(**_: Any) -> None:
    """Let no pool process outlive this worker.

    Left alone they would wait for tasks for ever: each holds the others' pipes open.
    """
    worker = os.getpid()

    def tie(**_: Any) -> None:
        parent_death.die_with_parent(worker)

    signals.worker_process_init.connect(tie, weak=False)


signals.worker_init.connect(_tie_the_pool)


def _work(least: float, most: float) -> None:
    """Be busy for a while; seconds."""
    time.sleep(_dice.uniform(least, most))


@_task("shop.orders.validate")
def validate(fate: str = "fine") -> None:
    """Check an order: quick, and strict about its fields."""
    _work(0.002, 0.03)
    if fate == "no_address":
        raise KeyError("address")


@_task("shop.orders.charge", bind=True, max_retries=2)
def charge(self: Any, fate: str = "fine") -> None:
    """Charge a card through a gateway that is busy now and then, and at times down."""
    _work(0.05, 0.4)
    if fate == "gateway_busy" and not self.request.retries:
        raise self.retry(exc=TimeoutError("the gateway took too long"), countdown=1)
    if fate == "gateway_down":
        raise self.retry(exc=ConnectionError("the gateway refused the connection"), countdown=1)


@_task("shop.orders.reserve_stock")
def reserve_stock(fate: str = "fine") -> None:
    """Take an article off the shelf, unless the database is in the way."""
    _work(0.01, 0.15)
    if fate == "deadlock":
        raise OperationalError("deadlock detected")


@_task("shop.carts.remind")
def remind() -> None:
    """Remind a customer of a full cart; sent with an eta, and revoked when they come back."""
    _work(0.01, 0.05)


@_task("shop.emails.confirm", bind=True, max_retries=3)
def confirm(self: Any, fate: str = "fine") -> None:
    """Send a confirmation through a mail server that likes to be asked twice."""
    _work(0.02, 0.2)
    if fate == "greylisted" and not self.request.retries:
        raise self.retry(exc=ConnectionResetError("451 try again later"), countdown=2)


@_task("shop.emails.newsletter")
def newsletter() -> None:
    """Send one of many letters that are in no hurry."""
    _work(0.005, 0.05)


@_task("shop.reports.daily")
def daily(fate: str = "fine") -> None:
    """Add up a day: slow."""
    _work(0.5, 2.5)
    if fate == "warehouse_slow":
        raise TimeoutError("the warehouse did not answer in time")


@_task("shop.reports.export")
def export() -> None:
    """Export all there is: so slow that people lose patience and terminate it."""
    _work(3.0, 5.0)


@_task("shop.catalogue.thumbnail")
def thumbnail(fate: str = "fine") -> None:
    """Shrink a picture, if it is one."""
    _work(0.05, 0.3)
    if fate == "not_a_picture":
        raise ValueError("not a picture")


@_task("shop.catalogue.reindex")
def reindex() -> None:
    """Put an article into the search index."""
    _work(0.1, 0.6)
