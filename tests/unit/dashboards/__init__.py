"""The dashboards as they are shipped: what they ask, what they say, and where they lead."""
