"""Brokers that run and are of no use: what a person is told, and how soon."""
