"""Says in plain words what is wrong with a broker, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from celery_sentinel.status import schema as status_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from celery_sentinel import poll_results

_ADVICE: dict[poll_results.Reason, str] = {
    "read_only": (
        "The broker takes no writes: it is a read-only replica, or lacks replicas. No task can be "
        "sent or taken. Point broker.url and the application at the master; after a fail-over "
        "look at DNS, or use Sentinel."
    ),
    "out_of_memory": (
        "The broker's memory is full and it refuses new messages: no task can be sent. Raise "
        "maxmemory, or remove what fills it (results, queues that nobody consumes)."
    ),
    "misconfigured": (
        "The broker refuses all writes, since it cannot save its data: no task can be sent or "
        "taken. Look at its disk, its rights there and its log."
    ),
    "cluster": (
        "The broker is a Redis Cluster, on which Celery does not work: use a Redis without cluster "
        "mode, with replicas and Sentinel if need be."
    ),
    "blocked": (
        "The broker has raised an alarm and takes no messages: no task can be sent. Free memory or "
        "disk on its nodes, or raise the limit."
    ),
    "loading": "The broker is starting and loads its data: wait until it has.",
    "not_found": (
        "The broker does not have what broker.url names: compare its virtual host, or the number "
        "of its database, with the application's."
    ),
    "no_rights": (
        "The user in broker.url lacks a right, so something is not known: docs/broker-access.md "
        "lists them."
    ),
    "authentication": (
        "The broker refuses user and password: compare those in broker.url with the broker's."
    ),
    "tls": (
        "The encrypted connection to the broker failed: look at broker.tls, at the certificates "
        "and at the scheme of broker.url (rediss, amqps)."
    ),
    "wrong_protocol": (
        "What answers at the address is not the broker that broker.url says: compare scheme, host "
        "and port with the application's."
    ),
    "limit": (
        "The broker has reached its limit of connections or channels: raise it, or find out who "
        "holds them; docs/broker-access.md says how many this daemon needs."
    ),
    "timeout": (
        "The broker does not answer in time: look at its load and at the network, and whether "
        "broker.url leads to it."
    ),
    "unreachable": "The broker closed or refused a connection: look whether it runs.",
    "other": "The broker did not do what it was asked.",
}


def of(reason: poll_results.Reason) -> str:
    """Return what a reason means and what to do."""
    return _ADVICE[reason]


def sentence(trouble: poll_results.Trouble) -> str:
    """Return one trouble with what to do about it."""
    return f"{of(trouble.reason)} ({trouble.text})"


def told(troubles: Sequence[poll_results.Trouble]) -> tuple[status_schema.TroubleStatus, ...]:
    """Return the troubles as the status document tells them."""
    return tuple(
        status_schema.TroubleStatus(reason=one.reason, text=one.text, advice=of(one.reason))
        for one in troubles
    )
