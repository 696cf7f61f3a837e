"""The place where Celery keeps results: whether it is there."""
