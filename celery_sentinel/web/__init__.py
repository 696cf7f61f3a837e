"""The HTTP server: metrics for Prometheus, health for the orchestrator, one page for people."""

from __future__ import annotations

from celery_sentinel.web.limits import Limits
from celery_sentinel.web.server import WebServer, start
from celery_sentinel.web.sources import Health, MetricsSource

__all__ = ["Health", "Limits", "MetricsSource", "WebServer", "start"]
