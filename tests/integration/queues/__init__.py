"""Tests of what waits in the brokers, against real ones."""
