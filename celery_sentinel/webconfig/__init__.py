"""The web config file of Prometheus' exporter-toolkit: TLS, passwords, headers, a rate limit."""

from __future__ import annotations

from celery_sentinel.webconfig.loading import Loaded, canonical, read

__all__ = ["Loaded", "canonical", "read"]
