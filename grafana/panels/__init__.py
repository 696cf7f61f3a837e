"""The panels, by the four nouns: tasks, workers, queues and the sentinel."""
