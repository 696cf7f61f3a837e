"""Writes the Grafana dashboards, and draws previews of them. Not part of the installed package."""
