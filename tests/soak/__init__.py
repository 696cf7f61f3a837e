"""Long runs under load and disturbance: the counts stay true, and nothing grows."""
