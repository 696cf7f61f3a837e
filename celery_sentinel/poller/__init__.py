"""The asking threads: what the event stream does not bring, off the scrape and event paths."""
