"""All that the daemon says to a broker over a time of faults, held against the list in docs."""
