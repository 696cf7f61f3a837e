"""What the demo tells the person in front of it."""

from __future__ import annotations

from celery_sentinel.demo import broker, workers

_TEXT = """
A shop's Celery fleet is running, and celery-sentinel watches it.

  broker    {broker}
  workers   {workers}
  load      about {pace:g} tasks a second; a day of ups and downs takes 10 minutes
  logs      {directory}

Open
  {url}/                 what a person wants to know
  {url}/metrics          what Prometheus scrapes
  {url}/api/v1/status    the same as the first, for programs

Look at this first (a new counter shows 0 for its first 15 s, so that increase() sees its step)
  curl -s {url}/metrics | grep -e '^celery_worker_up' -e '^celery_queue_length'
  curl -s {url}/metrics | grep '^celery_task_failed_total'
or, with Prometheus scraping it
  sum by (name) (rate(celery_task_succeeded_total[1m]))
  sum by (name, exception) (increase(celery_task_failed_total[5m]))
  histogram_quantile(0.95, sum by (name, le) (rate(celery_task_runtime_seconds_bucket[5m])))

Ctrl-C stops everything.
"""


def text(server: broker.Broker, *, directory: str, url: str) -> str:
    """Return what is running, where to look, and how to stop it."""
    listed = [f"{each.name} ({', '.join(each.queues)})" for each in workers.STEADY]
    seasonal = f"{workers.SEASONAL.name} ({', '.join(workers.SEASONAL.queues)})"
    listed.append(f"{seasonal}, which comes and goes")
    return _TEXT.format(
        broker=server.url,
        workers="\n            ".join(listed),
        pace=server.pace,
        directory=directory,
        url=url,
    )
