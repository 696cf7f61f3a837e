"""celery-sentinel watches a Celery fleet and tells Prometheus what is true of it."""

__version__ = "0.1.0.dev0"
