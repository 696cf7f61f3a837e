"""The embedded fleet behind ``celery-sentinel demo``: a broker, workers, load and the daemon."""

from celery_sentinel.demo.runner import run

__all__ = ["run"]
