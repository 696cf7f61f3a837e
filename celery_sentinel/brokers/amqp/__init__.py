"""RabbitMQ: its events, its queues, how it fares."""
