"""What Prometheus scrapes: the metrics there are, what collects them, and their text."""
