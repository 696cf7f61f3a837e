"""Sends tasks from the test's own process and counts what it sent."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Self

from tests.servers import app

if TYPE_CHECKING:
    from collections.abc import Mapping

    from celery import result


class Producer:
    """A Celery application bound to one broker; also a context manager.

    ``sent_events`` is Celery's ``task_send_sent_event``; ``config`` are further settings.
    """

    def __init__(
        self,
        broker_url: str,
        *,
        sent_events: bool = True,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.app = app.create(
            {
                "broker_url": broker_url,
                "task_send_sent_event": sent_events,
                # A test that stops the broker shall see the error, not wait for its return.
                "task_publish_retry": False,
                **(config or {}),
            }
        )
        self.app.loader.import_default_modules()
        self.sent: collections.Counter[tuple[str, str]] = collections.Counter()

    def send(
        self, name: str, *args: Any, queue: str | None = None, **options: Any
    ) -> result.AsyncResult[Any]:
        """Send one task; ``options`` are those of apply_async (countdown, eta, expires …).

        ``sent`` counts it by (name, queue) once the broker has it.
        """
        queue = queue or self.app.conf.task_default_queue
        sent = self.app.tasks[name].apply_async(args, queue=queue, **options)
        self.sent[name, queue] += 1
        return sent

    def send_unregistered(self, name: str, *, queue: str | None = None) -> None:
        """Send a task that no worker knows."""
        queue = queue or self.app.conf.task_default_queue
        self.app.send_task(name, queue=queue)
        self.sent[name, queue] += 1

    def revoke(self, task_id: str, **options: Any) -> None:
        """Tell all workers not to run a task, or to stop it (``terminate``)."""
        self.app.control.revoke(task_id, **options)

    def close(self) -> None:
        """Close the connections."""
        self.app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
