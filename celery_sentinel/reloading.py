"""Which changes of the configuration a reload takes over, and which wait for a restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from celery_sentinel.config import schema


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
