"""The command line ``celery-sentinel``."""

from celery_sentinel.cli.commands import main

__all__ = ["main"]
