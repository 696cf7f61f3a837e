"""What workers answer when they are asked, against real workers on real brokers."""
