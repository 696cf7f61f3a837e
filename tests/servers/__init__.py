"""The real processes tests run against: brokers, Celery workers and the daemon itself."""
