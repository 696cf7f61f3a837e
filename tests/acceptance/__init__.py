"""The installed command, as its users meet it."""
