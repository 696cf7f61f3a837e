"""The brokers: one package a kind, each with its events and its queues, behind two protocols."""
