"""Loads the configuration afresh while running, and says what of it waits for a restart."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from celery_sentinel import errors, logs
from celery_sentinel.metrics import catalogue, samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from celery_sentinel.config import schema


class Reloader:
    """The configuration in use; may be asked to reload by several threads.

    ``load`` reads the new one and raises ``errors.ConfigError``, ``take_over`` brings it into
    effect, ``around`` encloses each attempt, and ``scrub`` removes secrets from its errors.
    ``requested`` is set from a signal handler; ``succeeded`` tells how the last attempt ended.
    """

    def __init__(
        self,
        config: schema.Config,
        load: Callable[[], schema.Config],
        *,
        scrub: Callable[[str], str],
        take_over: Callable[[schema.Config], None],
        around: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.requested = threading.Event()
        self.succeeded = True
        self._config = config
        self._load = load
        self._scrub = scrub
        self._take_over = take_over
        self._around = around
        self._at = time.time()
        self._lock = threading.Lock()
        self._log = logs.get(__name__)

    def look(self) -> None:
        """Reload if a signal asked for it."""
        if self.requested.is_set():
            self.requested.clear()
            self.reload()

    def reload(self) -> str | None:
        """Load the configuration and take over what may change; return why not, if not."""
        with self._lock, self._around():
            try:
                config = self._load()
            except errors.ConfigError as error:
                self.succeeded = False
                text = self._scrub(str(error))
                self._log.error("reload_failed", error=text)
                return text
            self._take_over(config)
            waiting = needs_restart(self._config, config)
            self._config = config
            if waiting:
                self._log.warning("reload_incomplete", needs_restart=waiting)
            self._log.info("reloaded")
            self.succeeded, self._at = True, time.time()
            return None

    def families(self) -> Iterator[samples.Family]:
        """Yield how the last attempt ended, and when the configuration in use was loaded."""
        yield samples.single(catalogue.RELOAD_SUCCESSFUL, int(self.succeeded))
        yield samples.single(catalogue.RELOAD_TIMESTAMP, self._at)


def needs_restart(old: schema.Config, new: schema.Config) -> list[str]:
    """Return the changed sections of which something is not taken over while running."""
    changed = [name for name in old.__struct_fields__ if getattr(old, name) != getattr(new, name)]
    partly = {
        "log": False,
        "queues": False,
        "objectives": False,
        "workers": _differ(old.workers, new.workers, but=("wedged_after",)),
        "metrics": old.metrics.limits != new.metrics.limits,
        "events": _differ(old.events, new.events, but=("enable",)),
        "tasks": _differ(old.tasks, new.tasks, but=("categories",)),
    }
    return [name for name in changed if partly.get(name, True)]


def _differ(old: schema.Section, new: schema.Section, *, but: tuple[str, ...]) -> bool:
    return any(
        getattr(old, name) != getattr(new, name)
        for name in old.__struct_fields__
        if name not in but
    )
