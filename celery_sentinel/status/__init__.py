"""The status document, which the landing page and the API show, built from the fleet."""

from celery_sentinel.status.broker_advice import sentence
from celery_sentinel.status.document import build

__all__ = ["build", "sentence"]
