"""The status document, which the landing page and the API show, built from the fleet."""

from celery_sentinel.summary.advice import sentence
from celery_sentinel.summary.document import build

__all__ = ["build", "sentence"]
