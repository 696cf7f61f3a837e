"""All that opens a socket to a broker: one module a kind, behind one small protocol."""
