"""What panels of every noun are made of: queries, charts, tables, links, and the board itself."""
