"""The model of the fleet: pure, written by one thread, read under a lock."""
