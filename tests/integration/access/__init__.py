"""Users of brokers with the least rights that suffice, and TLS, and fail-over."""
