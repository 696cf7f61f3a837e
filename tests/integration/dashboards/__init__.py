"""The dashboards over a live fleet: every panel has data, and every click leads somewhere."""
