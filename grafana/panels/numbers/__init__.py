"""What stands in figures at the top of each dashboard, by noun."""

from grafana.panels.numbers import queues, sentinel, tasks, workers

__all__ = ["queues", "sentinel", "tasks", "workers"]
