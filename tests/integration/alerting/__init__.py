"""The shipped examples for Alertmanager and Prometheus, tried with the real programs."""
