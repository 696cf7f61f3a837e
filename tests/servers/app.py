"""The Celery application under observation; workers load it, producers build their own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import celery
import kombu.common

from tests.servers import tasks, truth

if TYPE_CHECKING:
    from collections.abc import Mapping

# How a test hands settings to a worker process: Celery settings as JSON, and a path.
CONFIG_VARIABLE = "FLEET_CONFIG"
TRUTH_VARIABLE = "FLEET_TRUTH"

_DEFAULTS = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_default_queue": "celery",
    "worker_hijack_root_logger": True,
}


def create(config: Mapping[str, Any]) -> celery.Celery:
    """Return an application with the tasks of this fleet and the given Celery settings.

    ``broadcast``, which is none of Celery's, is the exchange of a broadcast queue.
    """
    settings = _DEFAULTS | dict(config)
    broadcast = settings.pop("broadcast", None)
    if broadcast is not None:
        settings["task_queues"] = [kombu.common.Broadcast(broadcast)]
    app = celery.Celery("fleet", include=[tasks.__name__], set_as_current=False)
    app.conf.update(settings)
    return app


app = create(json.loads(os.environ.get(CONFIG_VARIABLE, "{}")))

if TRUTH_VARIABLE in os.environ:
    truth.record(os.environ[TRUTH_VARIABLE])
