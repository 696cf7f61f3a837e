"""The Celery application under observation; workers load it, producers build their own."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import celery

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
    """Return an application with the tasks of this fleet and the given Celery settings."""
    app = celery.Celery("fleet", include=[tasks.__name__], set_as_current=False)
    app.conf.update(_DEFAULTS | dict(config))
    return app


app = create(json.loads(os.environ.get(CONFIG_VARIABLE, "{}")))

if TRUTH_VARIABLE in os.environ:
    truth.record(os.environ[TRUTH_VARIABLE])
