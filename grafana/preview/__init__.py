"""Draws the dashboards from their JSON and a live Prometheus, where no Grafana can be had.

A preview, not Grafana's own rendering: it knows the panel types and options that we use.
"""
